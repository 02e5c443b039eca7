/** Writes the files that exports have in common, and reads them back. */
import { join } from 'node:path';
import { writeFileAtomically } from '../../base/atomic-write.js';
import { canonicalJson } from '../../base/canonical-json.js';
import { ModelError } from '../../base/errors.js';
import { type TensorInput, writeSafetensors } from '../../checkpoint/index.js';
import { loadModel } from '../load.js';
import type { ModelSpec } from '../spec.js';
import type { ExportModel } from './format.js';
import { fullPreprocess } from './preprocessing.js';

export const WEIGHTS_FILE = 'model.safetensors';
/** A model in several files; whoever finds it may prefer it to the one file. */
export const SHARDS_FILE = 'model.safetensors.index.json';

/** What PyTorch's libraries look for before they open a file. */
const METADATA = [['format', 'pt']] as const;

/** Writes float32 tensors as PyTorch's libraries read them. */
export async function writeWeights(path: string, tensors: ReadonlyMap<string, Omit<TensorInput, 'dtype'>>) {
  const inputs = [...tensors].map(([name, tensor]) => [name, { dtype: 'F32', ...tensor }] as const);
  await writeSafetensors(path, inputs, METADATA);
}

/** Writes a JSON file for people, too. */
export async function writeJson(path: string, value: object): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Loads a folder that was written and compares it with what was to be written: the spec, and every value to the bit.
 *
 * @throws ModelError naming the first difference; CheckpointError when it cannot be opened.
 */
export async function checkReadBack(dir: string, expected: ExportModel): Promise<void> {
  const found = await loadModel(dir);
  const difference = specDifference(found.spec, expected.spec) ?? valueDifference(found.values, expected.values);
  if (difference === undefined) return;
  throw new ModelError(`${join(dir, WEIGHTS_FILE)}: read back, ${difference}; check the disk and export again`);
}

function specDifference(found: ModelSpec, expected: ModelSpec): string | undefined {
  const [own, other] = [found, expected].map((spec) => ({ ...spec, preprocess: fullPreprocess(spec) }));
  const keys = [...new Set([...Object.keys(own), ...Object.keys(other)])] as (keyof ModelSpec)[];
  const text = (value: unknown) => (value === undefined ? 'nothing' : canonicalJson(value));
  const key = keys.find((each) => text(own[each]) !== text(other[each]));
  return key && `${key} is ${text(own[key])}, expected ${text(other[key])}`;
}

function valueDifference(found: ExportModel['values'], expected: ExportModel['values']): string | undefined {
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => Buffer.from(buffer, byteOffset, byteLength);
  for (const [name, values] of expected) {
    const own = found.get(name);
    if (own === undefined || !bytes(own).equals(bytes(values))) return `${name} has other values`;
  }
  return undefined;
}
