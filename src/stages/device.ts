/** The device that a run is made on where its settings say `auto`: chosen once, told, and recorded as if it had been named. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import type { EngineConfig } from '../config/engine-schema.js';
import { chooseDevice } from '../engine/choose.js';
import { AUTO, targetName } from '../engine/targets.js';
import type { StageContext } from './context.js';
import { type OutFolder, runFolder } from './run-folder.js';

/** Settings that say what computes. */
interface Computing {
  readonly engine: EngineConfig;
  readonly train?: { readonly accumulate: number };
}

/** Where what was chosen is told. */
export type Telling = Pick<StageContext, 'emit'>;

/**
 * The settings with a device in place of `auto`; others as they are.
 *
 * @param out a run that is gone on with keeps its device, whatever is fastest now
 */
export async function withDevice<Config extends Computing>(
  config: Config,
  { emit }: Telling,
  out?: OutFolder,
): Promise<Config> {
  const { engine, train } = config;
  if (engine.device !== AUTO) return config;
  const before = out?.resume === true ? await recordedDevice(runFolder(out.dir).config, engine) : undefined;
  if (before !== undefined) {
    const name = targetName({ engine: engine.name, device: before });
    emit({ type: 'note', text: `device: ${name} (that of the run which is gone on with)` });
    return { ...config, engine: { ...engine, device: before } };
  }
  emit({ type: 'phase', text: 'trying devices' });
  const accumulate = (train?.accumulate ?? 1) > 1;
  const threads = engine.threads === null ? {} : { threads: engine.threads };
  const { device, text } = await chooseDevice(engine.name, { accumulate, ...threads });
  emit({ type: 'note', text });
  return { ...config, engine: { ...engine, device } };
}

const recorded = z.object({ engine: z.object({ name: z.string(), device: z.string() }) });

/** The device of the run in the folder, if it was made on the same engine; undefined when that cannot be read. */
async function recordedDevice(path: string, { name }: EngineConfig): Promise<string | undefined> {
  try {
    const { engine } = recorded.parse(parse(await readFile(path, 'utf8')));
    return engine.name === name ? engine.device : undefined;
  } catch {
    return undefined;
  }
}
