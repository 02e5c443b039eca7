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
import type { State } from '../engine/types.js';

const savedSpecSchema = z.object({ step: z.int().min(0), optimiser_step: z.int().min(0) });

const PARAMETER = 'parameter.';
const FIRST = 'first.';
const SECOND = 'second.';

/** @param step training steps done */
export async function saveState(path: string, state: State, step: number, lineage: Lineage): Promise<void> {
  const [values, optimiser] = [await state.read(), await state.readOptimiser()];
  const tensors = new Map<string, TensorInput>();
  const add = (prefix: string, named: ReadonlyMap<string, Float32Array>) => {
    for (const [name, data] of named) {
      const shape = state.specs.get(name)?.shape ?? [];
      tensors.set(prefix + name, { dtype: 'F32', shape, data });
    }
  };
  add(PARAMETER, values);
  add(FIRST, optimiser.first);
  add(SECOND, optimiser.second);
  await writeArtifact(path, { kind: 'state', spec: { step, optimiser_step: optimiser.step }, lineage, tensors });
}

/** What has to be as it was when the state was saved. */
export type ResumedRun = Pick<Lineage, 'configSha256' | 'dataSha256'>;

/**
 * Puts a saved state back.
 *
 * @returns training steps done
 * @throws ConfigError when it was saved under another configuration or with other images; CheckpointError when it cannot be read.
 */
export async function restoreState(path: string, state: State, expected: ResumedRun): Promise<number> {
  const file = await openSafetensors(path);
  try {
    const info = expectKind(file, 'state');
    for (const [key, what] of [
      ['configSha256', 'under another configuration'],
      ['dataSha256', 'with other training images'],
    ] as const) {
      if (info.lineage?.[key] === expected[key]) continue;
      throw new ConfigError(`${path}: was saved ${what}; resume with what the run had, or start anew with --force`);
    }
    const { step, optimiser_step } = savedSpec(info.spec, path);
    const read = async (prefix: string) => {
      const named = new Map<string, Float32Array>();
      for (const name of file.tensors.keys()) {
        if (name.startsWith(prefix)) named.set(name.slice(prefix.length), await file.readFloat32(name));
      }
      return named;
    };
    checkParameters(file.tensors, state, path);
    await state.write(await read(PARAMETER));
    await state.writeOptimiser({ step: optimiser_step, first: await read(FIRST), second: await read(SECOND) });
    return step;
  } finally {
    await file.close();
  }
}

function savedSpec(stored: unknown, path: string): z.output<typeof savedSpecSchema> {
  const parsed = savedSpecSchema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.');
  const problem = `metadata wave.spec: ${field} is missing or no count of steps; start anew with --force`;
  throw new CheckpointError('InvalidArtifact', path, problem);
}

/** Every parameter must be there in its shape: one left out would silently keep its first, random value. */
function checkParameters(tensors: ReadonlyMap<string, TensorInfo>, { specs }: State, path: string): void {
  for (const [name, { shape }] of specs) {
    const found = tensors.get(PARAMETER + name)?.shape;
    if (found?.join() === shape.join()) continue;
    const what = found === undefined ? 'is missing' : `is [${found.join(', ')}]`;
    const problem = `${PARAMETER}${name} ${what}, expected [${shape.join(', ')}]; start anew with --force`;
    throw new CheckpointError('InvalidArtifact', path, problem);
  }
}
