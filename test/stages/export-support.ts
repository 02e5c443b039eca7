/** Models for the tests of exports: small ones of every kind, with values that leave no parameter without effect. */
import { join } from 'node:path';
import { createRng } from '#wave/base/rng.js';
import { elementCount } from '#wave/base/shape.js';
import { makeLineage } from '#wave/checkpoint/index.js';
import { isNorm, parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import type { ModelSpec } from '#wave/model/spec.js';

/** A class-token ViT of 16x24 pixels: 6 patches. */
export const SMALL: ModelSpec = {
  image: [16, 24],
  patch: 8,
  channels: 3,
  depth: 2,
  width: 24,
  heads: 3,
  hidden: 40,
  classes: 5,
  eps: 1e-6,
  pool: 'token',
  final_norm: 'norm',
  class_token: true,
  distillation_token: false,
  register_tokens: 0,
  position_prefix: true,
  preprocess: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.25], resize: [32, 48], resize_mode: 'squash' },
};

/** Every kind of model that there is, by what is special about it. */
export const KINDS: Readonly<Record<string, Partial<ModelSpec>>> = {
  'a class token': {},
  'a class token without a position': { position_prefix: false },
  'a class token and a norm after pooling': { final_norm: 'fc_norm' },
  'a distillation token': { distillation_token: true },
  'a distillation token and a norm after pooling': { distillation_token: true, final_norm: 'fc_norm' },
  'a distillation token without positions before the patches': { distillation_token: true, position_prefix: false },
  'one register': { register_tokens: 1 },
  'one register without a position': { register_tokens: 1, position_prefix: false },
  'three registers': { register_tokens: 3 },
  'three registers without positions': { register_tokens: 3, position_prefix: false },
  'the mean of the patches': { pool: 'avg', final_norm: 'fc_norm' },
  'the mean of normed patches': { pool: 'avg' },
  'the mean of the patches, no class token': { pool: 'avg', final_norm: 'fc_norm', class_token: false },
  'the mean of the patches, no token without a position': { pool: 'avg', class_token: false, position_prefix: false },
  'the mean of the patches, registers alone': { pool: 'avg', class_token: false, register_tokens: 2 },
};

/** Whether a kind is a ViT or DeiT of transformers. */
export function isOfTransformers({ class_token, pool, register_tokens }: ModelSpec): boolean {
  return class_token && pool === 'token' && register_tokens <= 1;
}

/** Weights as large as those of a trained model, also those that a new one has at zero. */
export function valuesOf(spec: ModelSpec, seed = 1): Map<string, Float32Array> {
  return new Map(
    [...parameterShapes(spec)].map(([name, shape]) => {
      const rng = createRng(seed, name);
      const scale = shape.length === 2 ? 1 / Math.sqrt(shape[1] as number) : 0.3;
      const centre = isNorm(name) && name.endsWith('.weight') ? 1 : 0;
      return [name, Float32Array.from({ length: elementCount(shape) }, () => centre + scale * rng.normal())];
    }),
  );
}

/** Writes a model of wave into a folder of its own, and returns its path. */
export async function saved(folder: string, spec: ModelSpec, values = valuesOf(spec)): Promise<string> {
  const path = join(folder, 'model.safetensors');
  const lineage = makeLineage({
    command: 'wave test',
    configSha256: '0'.repeat(64),
    parents: [],
    seed: 1,
    engine: 'none',
    toolVersion: '0.0.0',
  });
  await saveModel(path, { spec, values, lineage });
  return path;
}
