/** The state of an interrupted run: parameters, moments, steps done. Written at every epoch's end and when stopped. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import {
  CheckpointError,
  expectKind,
  type Lineage,
  openSafetensors,
  type TensorInfo,
  type TensorInput,
  writeArtifact,
} from '../checkpoint/index.js';
import type { TensorSpecs } from '../engine/tensor-spec.js';
import type { State } from '../engine/types.js';
import type { FoundImages } from './broken-images.js';

const indices = z.array(z.int().min(0));
const savedSpecSchema = z.object({
  step: z.int().min(0),
  optimiser_step: z.int().min(0),
  // Older states have none; and what is no list only costs warnings that are told again.
  broken: z.object({ train: indices, test: indices }).optional().catch(undefined),
});

const PARAMETER = 'parameter.';
const FIRST = 'first.';
const SECOND = 'second.';

/** Values that belong to a run beside its state, an average of the parameters for example. */
export interface Companion {
  /** Begins the names of its tensors in the file: "average.". */
  readonly prefix: string;
  readonly specs: TensorSpecs;
  read(): Promise<ReadonlyMap<string, Float32Array>>;
  write(values: ReadonlyMap<string, Float32Array>): Promise<void>;
}

/** Keeps which images could not be read, across interruptions. */
export interface FoundKeeper {
  saved(): FoundImages;
  restore(before: FoundImages): void;
}

/** @param step training steps done */
export async function saveState(
  path: string,
  state: State,
  step: number,
  lineage: Lineage,
  companion?: Companion,
  broken?: FoundKeeper,
): Promise<void> {
  const [values, optimiser] = [await state.read(), await state.readOptimiser()];
  const tensors = new Map<string, TensorInput>();
  const add = (prefix: string, named: ReadonlyMap<string, Float32Array>, specs = state.specs) => {
    for (const [name, data] of named) {
      const shape = specs.get(name)?.shape ?? [];
      tensors.set(prefix + name, { dtype: 'F32', shape, data });
    }
  };
  add(PARAMETER, values);
  add(FIRST, optimiser.first);
  add(SECOND, optimiser.second);
  if (companion) add(companion.prefix, await companion.read(), companion.specs);
  const spec = { step, optimiser_step: optimiser.step, ...(broken ? { broken: broken.saved() } : {}) };
  await writeArtifact(path, { kind: 'state', spec, lineage, tensors });
}

/** What has to be as it was when the state was saved. */
export type ResumedRun = Pick<Lineage, 'configSha256' | 'dataSha256' | 'parents'>;

/**
 * Puts a saved state back.
 *
 * @returns training steps done
 * @throws ConfigError when it was saved under another configuration, with other images or from other files;
 * CheckpointError when it cannot be read.
 */
export async function restoreState(
  path: string,
  state: State,
  expected: ResumedRun,
  companion?: Companion,
  broken?: FoundKeeper,
): Promise<number> {
  const file = await openSafetensors(path);
  try {
    const info = expectKind(file, 'state');
    const other = lineageDifference(info.lineage, expected);
    if (other !== undefined) {
      throw new ConfigError(`${path}: was saved ${other}; resume with what the run had, or start anew with --force`);
    }
    const { step, optimiser_step, broken: found } = savedSpec(info.spec, path);
    const read = async (prefix: string) => {
      const named = new Map<string, Float32Array>();
      for (const name of file.tensors.keys()) {
        if (name.startsWith(prefix)) named.set(name.slice(prefix.length), await file.readFloat32(name));
      }
      return named;
    };
    checkTensors(file.tensors, PARAMETER, state.specs, path);
    if (companion) checkTensors(file.tensors, companion.prefix, companion.specs, path);
    await state.write(await read(PARAMETER));
    await state.writeOptimiser({ step: optimiser_step, first: await read(FIRST), second: await read(SECOND) });
    await companion?.write(await read(companion.prefix));
    if (found) broken?.restore(found);
    return step;
  } finally {
    await file.close();
  }
}

/** What is not as it was when the state was saved; undefined when all is. */
export function lineageDifference(saved: Lineage | undefined, expected: ResumedRun): string | undefined {
  if (saved?.configSha256 !== expected.configSha256) return 'under another configuration';
  if (saved.dataSha256 !== expected.dataSha256) return 'with other training images';
  const before = new Map(saved.parents.map(({ name, sha256 }) => [name, sha256]));
  const now = new Map(expected.parents.map(({ name, sha256 }) => [name, sha256]));
  const names = [...new Set([...before.keys(), ...now.keys()])].filter((name) => before.get(name) !== now.get(name));
  const describe = (name: string) => {
    if (!now.has(name)) return `with ${name}`;
    return before.has(name) ? `with another file as ${name}` : `without ${name}`;
  };
  return names.length > 0 ? names.map(describe).join(' and ') : undefined;
}

function savedSpec(stored: unknown, path: string): z.output<typeof savedSpecSchema> {
  const parsed = savedSpecSchema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.');
  const problem = `metadata wave.spec: ${field} is missing or no count of steps; start anew with --force`;
  throw new CheckpointError('InvalidArtifact', path, problem);
}

/** Every tensor must be there in its shape: one left out would silently keep its first, random value. */
function checkTensors(
  tensors: ReadonlyMap<string, TensorInfo>,
  prefix: string,
  specs: TensorSpecs,
  path: string,
): void {
  for (const [name, { shape }] of specs) {
    const found = tensors.get(prefix + name)?.shape;
    if (found?.join() === shape.join()) continue;
    const what = found === undefined ? 'is missing' : `is [${found.join(', ')}]`;
    const problem = `${prefix}${name} ${what}, expected [${shape.join(', ')}]; start anew with --force`;
    throw new CheckpointError('InvalidArtifact', path, problem);
  }
}
