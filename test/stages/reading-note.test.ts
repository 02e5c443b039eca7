/** A stage says once how it understood a checkpoint of another library. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { distill, distillSchema } from '#wave/stages/distill.js';
import { evaluate, evaluateSchema } from '#wave/stages/evaluate.js';
import { finetune, finetuneSchema } from '#wave/stages/finetune.js';
import { noteReading } from '#wave/stages/reading-note.js';
import { interop } from '../model/formats/support.js';
import { context, type TestContext } from './support.js';

const root = mkdtempSync(join(tmpdir(), 'wave-note-'));
afterAll(() => rmSync(root, { recursive: true }));

const model = interop('hf-vit-classic');
const config = `${model}/config.json`;
const NOTE = `${model}: a checkpoint of Hugging Face, 3 heads (${config}: num_attention_heads), epsilon 0.02 (${config})`;
const readings = ({ events }: TestContext) =>
  events.flatMap((event) => (event.type === 'note' && event.text.includes('a checkpoint of') ? [event.text] : []));

const data = { source: 'synthetic', channels: 3, synthetic: { image: 16, classes: 5, train: 8, test: 8 } };
const engine = { threads: 1 };

describe('stages', () => {
  it('evaluate', async () => {
    const told = context();
    await evaluate(model, evaluateSchema.parse({ data, engine, eval: { batch: 8 } }), told);
    expect(readings(told)).toEqual([NOTE]);
  });

  it('finetune', async () => {
    const told = context();
    const train = { epochs: 1, batch: 8 };
    const settings = finetuneSchema.parse({ data, engine, train, eval: { batch: 8 } });
    await finetune(settings, { model }, { dir: join(root, 'tuned'), force: false, resume: false }, told);
    expect(readings(told)).toEqual([NOTE]);
  });

  it('distill', async () => {
    // It ends where the ancestor, which knows nothing of these images, is no better than chance.
    const told = context();
    const settings = distillSchema.parse({ data, engine, train: { epochs: 1, batch: 8 }, eval: { batch: 8 } });
    const out = { dir: join(root, 'bank'), force: false, resume: false };
    await expect(distill(settings, { ancestor: model }, out, told)).rejects.toThrow();
    expect(readings(told)).toEqual([NOTE]);
  });
});

describe('the note', () => {
  const said = (reading: Partial<Parameters<typeof noteReading>[1]['reading']>, format: 'wave' | 'timm' = 'timm') => {
    const told = context();
    const none = { headsFrom: 'H', epsFrom: 'E', joined: 0, ignored: [], filled: [], notes: [] };
    const spec = { heads: 3, eps: 1e-6 } as Parameters<typeof noteReading>[1]['spec'];
    noteReading('FILE', { format, spec, reading: { ...none, ...reading } }, told);
    return told.events.map((event) => ('text' in event ? event.text : ''));
  };
  const START = 'FILE: a checkpoint of timm, 3 heads (H), epsilon 0.000001 (E)';

  it('names what was ignored, filled and left aside, only if something was', () => {
    expect(said({})).toEqual([START]);
    expect(said({ ignored: ['a'] })).toEqual([`${START}; ignored a`]);
    expect(said({ ignored: ['a', 'b', 'c'], filled: ['d', 'e'] })).toEqual([
      `${START}; ignored a and 2 more; zeros for d and e`,
    ]);
    expect(said({ notes: ['x', 'y'] })).toEqual([`${START}; x; y`]);
  });

  it('is none for a model of this suite', () => {
    expect(said({}, 'wave')).toEqual([]);
  });
});
