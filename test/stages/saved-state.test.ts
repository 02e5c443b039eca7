import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { CheckpointError, makeLineage, writeArtifact } from '#wave/checkpoint/index.js';
import type { OptimiserState, State } from '#wave/engine/types.js';
import { restoreState, saveState } from '#wave/stages/saved-state.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-state-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'state.safetensors');
const lineage = makeLineage({
  command: 'wave test',
  configSha256: 'aa',
  parents: [],
  seed: 0,
  engine: 'ort/cpu',
  toolVersion: '0',
});

/** A state that is kept here instead of in an engine. */
function memoryState(fill: number): State & { values: Map<string, Float32Array>; optimiser: OptimiserState } {
  const shapes = { 'blocks.0.weight': [2, 3], 'first.bias': [3] };
  const specs = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'float32' as const }]));
  const all = (value: number) =>
    new Map(
      [...specs].map(([name, { shape }]) => {
        const length = shape.reduce((product, size) => product * size, 1);
        return [name, Float32Array.from({ length }, (_, i) => value + i / 7)];
      }),
    );
  return {
    specs,
    values: all(fill),
    optimiser: { step: fill * 10, first: all(fill + 0.1), second: all(fill + 0.2) },
    async read() {
      return this.values;
    },
    async write(values) {
      this.values = new Map(values);
    },
    async readOptimiser() {
      return this.optimiser;
    },
    async writeOptimiser(state) {
      this.optimiser = state;
    },
    dispose: async () => {},
  };
}

describe('a saved state', () => {
  it('keeps the images that could not be read; one without them is read, too', async () => {
    const found = { train: [3, 1], test: [0] };
    const restored: unknown[] = [];
    const keeper = {
      saved: () => found,
      restore: (before: unknown) => {
        restored.push(before);
      },
    };
    await saveState(path, memoryState(1), 7, lineage, undefined, keeper);
    expect(await restoreState(path, memoryState(2), lineage, undefined, keeper)).toBe(7);
    expect(restored).toEqual([found]);
    await saveState(path, memoryState(1), 8, lineage);
    expect(await restoreState(path, memoryState(2), lineage, undefined, keeper)).toBe(8);
    expect(restored).toHaveLength(1);
  });

  it('comes back as it was: parameters, both moments, and both counts of steps', async () => {
    const saved = memoryState(1);
    await saveState(path, saved, 7, lineage);
    const restored = memoryState(2);
    expect(await restoreState(path, restored, lineage)).toBe(7);
    expect(restored.values).toEqual(saved.values);
    expect(restored.optimiser).toEqual(saved.optimiser);
  });

  it('gives the same bytes every time', async () => {
    await saveState(path, memoryState(1), 7, lineage);
    const first = readFileSync(path);
    await saveState(path, memoryState(1), 7, lineage);
    expect(readFileSync(path).equals(first)).toBe(true);
  });

  it('is refused under another configuration, in one line, and changes nothing', async () => {
    await saveState(path, memoryState(1), 7, lineage);
    const state = memoryState(2);
    await expect(restoreState(path, state, { ...lineage, configSha256: 'bb' })).rejects.toThrow(
      /^[^\n]*saved under another configuration[^\n]*$/,
    );
    expect(state.values).toEqual(memoryState(2).values);
  });

  it('is refused with other parents, each named by its role', async () => {
    const from = (...parents: [string, string][]) => ({
      ...lineage,
      parents: parents.map(([name, sha256]) => ({ name, sha256 })),
    });
    await saveState(path, memoryState(1), 7, from(['ancestor', 'a1'], ['templates', 't1']));
    const state = memoryState(2);
    const refused = (...parents: [string, string][]) => restoreState(path, state, from(...parents));
    const remedy = 'resume with what the run had, or start anew with --force';
    await expect(refused(['ancestor', 'a2'], ['templates', 't1'])).rejects.toThrow(
      new ConfigError(`${path}: was saved with another file as ancestor; ${remedy}`),
    );
    await expect(refused(['templates', 't1'], ['scalers', 's1'])).rejects.toThrow(
      new ConfigError(`${path}: was saved with ancestor and without scalers; ${remedy}`),
    );
    expect(state.values).toEqual(memoryState(2).values);
    expect(await refused(['templates', 't1'], ['ancestor', 'a1'])).toBe(7);
  });

  it('keeps values beside the state, and is refused without them', async () => {
    const companion = (fill: number) => {
      const { specs } = memoryState(0);
      let values: ReadonlyMap<string, Float32Array> = new Map(
        [...specs].map(([name]) => [name, new Float32Array(name === 'first.bias' ? 3 : 6).fill(fill)]),
      );
      const write = async (given: ReadonlyMap<string, Float32Array>) => {
        values = new Map(given);
      };
      return { prefix: 'average.', specs, read: async () => values, write };
    };
    await saveState(path, memoryState(1), 7, lineage, companion(0.3));
    const restored = companion(0);
    await restoreState(path, memoryState(2), lineage, restored);
    expect(await restored.read()).toEqual(await companion(0.3).read());
    await saveState(path, memoryState(1), 7, lineage);
    await expect(restoreState(path, memoryState(2), lineage, restored)).rejects.toThrow(
      /average\.blocks\.0\.weight is missing/,
    );
  });

  it('is refused when it is cut, of another kind, or not of this model', async () => {
    const state = memoryState(2);
    await saveState(path, state, 7, lineage);
    truncateSync(path, 400);
    await expect(restoreState(path, state, lineage)).rejects.toThrow(CheckpointError);
    const scalar = { dtype: 'F32' as const, shape: [], data: new Float32Array(1) };
    await writeArtifact(path, { kind: 'model', spec: {}, lineage, tensors: [['x', scalar]] });
    await expect(restoreState(path, state, lineage)).rejects.toThrow(/is a model, expected a saved state|expected/);
    const spec = { step: 1, optimiser_step: 1 };
    await writeArtifact(path, { kind: 'state', spec, lineage, tensors: [['parameter.blocks.0.weight', scalar]] });
    await expect(restoreState(path, state, lineage)).rejects.toThrow(/blocks\.0\.weight is \[\], expected \[2, 3\]/);
    await writeArtifact(path, { kind: 'state', spec, lineage, tensors: [] });
    await expect(restoreState(path, state, lineage)).rejects.toThrow(/parameter\.blocks\.0\.weight is missing/);
    await writeArtifact(path, { kind: 'state', spec: { step: -1 }, lineage, tensors: [] });
    await expect(restoreState(path, state, lineage)).rejects.toThrow(
      /wave\.spec: step is missing or no count of steps/,
    );
    expect(state.values).toEqual(memoryState(2).values);
  });
});
