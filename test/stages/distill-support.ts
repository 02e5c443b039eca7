/** A small trained ancestor and the settings that distil it. */
import { join } from 'node:path';
import { distillSchema } from '#wave/stages/distill.js';
import { pretrain } from '#wave/stages/pretrain.js';
import { context, PICO, pico } from './support.js';

/** 512 drawn images of four classes: chance is 25 %. */
export const DATA = { source: 'synthetic', synthetic: { image: 16, classes: 4, train: 512, test: 130 } } as const;

/** A ViT of width 32, depth 2 and head size 16 that is right on most images; gives its path. */
export async function trainAncestor(root: string, data: object = DATA): Promise<string> {
  const config = pico({ data, train: { epochs: 8, warmup_epochs: 1 } });
  const { model } = await pretrain(config, { dir: join(root, 'ancestor'), force: false }, context());
  return model;
}

/** Settings of a distillation: 16 steps an epoch, templates of width 16, one size besides the auxiliary model's. */
export function distillation(changes: Record<string, object | number | string> = {}) {
  const { model: _, ...pretraining } = PICO;
  const base: Record<string, object | number | string> = {
    ...pretraining,
    data: DATA,
    train: { epochs: 2, batch: 32, log_every: 4 },
    templates: { count: 4 },
    distill: { sizes: [{ depth: 3, width: 16 }] },
  };
  return distillSchema.parse({ ...base, ...changes });
}
