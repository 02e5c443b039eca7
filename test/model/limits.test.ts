/** Sizes beyond what any ViT has, in files, settings and targets: refused in one line and at once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, ModelError } from '#wave/base/errors.js';
import { makeLineage, writeArtifact } from '#wave/checkpoint/index.js';
import { modelSchema, resolveModel } from '#wave/model/config.js';
import { MOST } from '#wave/model/limits.js';
import { loadModel } from '#wave/model/load.js';
import { modelSpecSchema } from '#wave/model/spec.js';
import { specOf, TINY } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-limits-'));
afterAll(() => rmSync(folder, { recursive: true }));

const spec = specOf(TINY);
const KEYS: Record<keyof typeof MOST, string> = {
  image: 'patch',
  channels: 'channels',
  depth: 'depth',
  width: 'width',
  heads: 'heads',
  hidden: 'hidden',
  classes: 'classes',
  registers: 'register_tokens',
};
const cases = Object.entries(KEYS).map(([limit, key]) => [key, MOST[limit as keyof typeof MOST]] as const);

describe('a stored spec', () => {
  it.each(cases)('has a %s of at most %i', (key, most) => {
    expect(modelSpecSchema.safeParse({ ...spec, [key]: most }).success).toBe(true);
    const { error } = modelSpecSchema.safeParse({ ...spec, [key]: most + 1 });
    expect(error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
      [key, `expected at most ${most}, found ${most + 1}`],
    ]);
  });

  it('beyond that is refused before anything is made of it', async () => {
    const path = join(folder, 'deep.safetensors');
    const source = { command: '', configSha256: '', parents: [], seed: 0, engine: '', toolVersion: '' };
    const deep = { ...spec, depth: 1e12 };
    await writeArtifact(path, { kind: 'model', spec: deep, lineage: makeLineage(source), tensors: [] });
    await expect(loadModel(path)).rejects.toThrow(
      new ModelError(
        `${path}: metadata wave.spec: depth: expected at most ${MOST.depth}, found 1000000000000; write the model again`,
      ),
    );
  });
});

describe('settings', () => {
  it.each(cases.filter(([key]) => key in modelSchema.shape))('have a %s of at most %i', (key, most) => {
    expect(modelSchema.safeParse({ [key]: most }).success).toBe(true);
    expect(modelSchema.safeParse({ [key]: most + 1 }).success).toBe(false);
  });

  it('have an image of at most so many pixels a side', () => {
    expect(modelSchema.safeParse({ image: [MOST.image, 1] }).success).toBe(true);
    for (const image of [MOST.image + 1, [1, MOST.image + 1]]) {
      expect(modelSchema.safeParse({ image }).success).toBe(false);
    }
  });

  it('make no MLP that is too wide', () => {
    const facts = { channels: 3, classes: 5, image: [8, 8] as const, preprocess: { mean: [0], std: [1] } };
    const config = modelSchema.parse({ patch: 2, depth: 1, width: 12, heads: 2, mlp_ratio: 1e6 });
    expect(() => resolveModel(config, facts)).toThrow(
      new ConfigError(
        `model.mlp_ratio: 1000000 of width 12 makes an MLP of 12000000 units, at most ${MOST.hidden}; lower it`,
      ),
    );
  });
});
