/** Specs, fixtures and batches for the model's tests. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSafetensors } from '#wave/checkpoint/index.js';
import { patchify } from '#wave/data/index.js';
import type { Engine, State, StateEntry } from '#wave/engine/types.js';
import { isDecayed, parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { ADAMW, TRAINED } from '../support/engine.js';

export const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

export const jsonFixture = <T>(name: string): T => JSON.parse(readFileSync(fixture(name), 'utf8')) as T;

/** All tensors of a fixture as float32, and its metadata. */
export async function tensorFixture(
  name: string,
  path = fixture(name),
): Promise<{ tensors: Map<string, Float32Array>; metadata: ReadonlyMap<string, string> }> {
  const file = await openSafetensors(path);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const key of file.tensors.keys()) tensors.set(key, await file.readFloat32(key));
    return { tensors, metadata: file.metadata };
  } finally {
    await file.close();
  }
}

/** Sizes as the fixtures' scripts name them. */
export interface Case {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly image: number;
  readonly patch: number;
  readonly channels: number;
  readonly classes: number;
  readonly batch: number;
}

/** A class-token ViT of these sizes. */
export function specOf(sizes: Omit<Case, 'batch'>, more: Partial<ModelSpec> = {}): ModelSpec {
  const { image, patch, channels, depth, width, heads, classes } = sizes;
  return {
    image: [image, image],
    patch,
    channels,
    depth,
    width,
    heads,
    hidden: 4 * width,
    classes,
    eps: 1e-6,
    pool: 'token',
    final_norm: 'norm',
    class_token: true,
    distillation_token: false,
    register_tokens: 0,
    position_prefix: true,
    ...more,
  };
}

export const TINY = { width: 12, depth: 2, heads: 2, image: 6, patch: 2, channels: 3, classes: 4 };

/** Images `[batch, channels, height, width]` as the model takes them. */
export function patchesOf(images: Float32Array, { image, patch, channels }: ModelSpec, batch: number): Float32Array {
  return patchify(images, { batch, channels, height: image[0], width: image[1], patch });
}

/** `[batch, patches, size]` with the first two axes swapped. */
export function tokensFirst(values: Float32Array, batch: number, patches: number): Float32Array {
  const size = values.length / (batch * patches);
  const result = new Float32Array(values.length);
  for (let b = 0; b < batch; b++) {
    for (let p = 0; p < patches; p++) {
      const row = values.subarray((b * patches + p) * size, (b * patches + p + 1) * size);
      result.set(row, (p * batch + b) * size);
    }
  }
  return result;
}

/** Labels as rows of 0 and 1, `[batch, classes]`. */
export function oneHot(labels: readonly number[], classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, i) => {
    rows[i * classes + label] = 1;
  });
  return rows;
}

/** A state with every parameter of `model`, decayed where weight decay applies. */
export function stateOf(
  engine: Engine,
  model: ModelSpec,
  values: ReadonlyMap<string, Float32Array>,
  weightDecay = 0,
): Promise<State> {
  const entries = new Map<string, StateEntry>();
  for (const [name, shape] of parameterShapes(model)) {
    const rule = { ...TRAINED, weightDecay: isDecayed(name, shape) ? weightDecay : 0 };
    entries.set(name, { spec: { shape, dtype: 'float32' }, values: values.get(name) as Float32Array, rule });
  }
  return engine.createState(entries, ADAMW);
}
