/** A small ancestor to fine-tune, and the runs that do. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, vi } from 'vitest';
import type { Lineage } from '#wave/checkpoint/index.js';
import { type LoadedModel, loadModel } from '#wave/model/load.js';
import { finetune, finetuneSchema } from '#wave/stages/finetune.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { runFolder } from '#wave/stages/run-folder.js';
import { context, PICO, pico } from './support.js';

/** Another task than the ancestor's: six classes of other drawings, few of each. */
export const OTHER = {
  source: 'synthetic',
  synthetic: { image: 16, classes: 6, train: 192, test: 200, seed: 9 },
} as const;
/** The task that the ancestor knows. */
export const SAME = { source: 'synthetic', synthetic: { image: 16, classes: 4, train: 512, test: 130 } } as const;

/** Of artifacts that no command made. */
export const LINEAGE: Lineage = {
  command: 'wave test',
  configSha256: '',
  parents: [],
  seed: 0,
  engine: 'none',
  toolVersion: '0',
  date: '2026-01-01T00:00:00Z',
};

/** Checked settings of a short run. */
export function settings(train: object, data: object = OTHER) {
  const { seed, eval: evaluation, engine } = PICO;
  const few = { steps: 12, batch: 32, lr: 2e-3, log_every: 4 };
  return finetuneSchema.parse({ seed, data, eval: evaluation, engine, train: { ...few, ...train } });
}

/** Largest change of any value of a parameter. */
export function change(name: string, values: LoadedModel['values'], before: LoadedModel['values']): number {
  const [a, b] = [values.get(name) as Float32Array, before.get(name) as Float32Array];
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
}

/** Trains an ancestor in a folder of its own, which is removed after the tests of the file. */
export async function setUp(name: string) {
  const root = mkdtempSync(join(tmpdir(), `wave-${name}-`));
  // Files are compared byte for byte, so the date in them must not move.
  vi.stubEnv('SOURCE_DATE_EPOCH', '1700000000');
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(root, { recursive: true });
  });
  const fresh = (folder: string) => ({ dir: join(root, folder), force: false });
  const learnt = pico({ data: SAME, train: { epochs: 20, batch: 32, lr: 3e-3, eval_every: 20 } });
  const { model: ancestor } = await pretrain(learnt, fresh('ancestor'), context());
  return {
    root,
    ancestor,
    known: await loadModel(ancestor),
    fresh,
    resumed: (folder: string) => ({ ...fresh(folder), resume: true }),
    bytes: (folder: string, file: 'model' | 'state' = 'model') => readFileSync(runFolder(join(root, folder))[file]),
    /** Fine-tunes the ancestor. */
    run: async (folder: string, train: object, data?: object) => {
      const told = context();
      const result = await finetune(settings(train, data), { model: ancestor }, fresh(folder), told);
      return { result, told, ...(await loadModel(result.model)) };
    },
  };
}
