/** The `train:` block: optimiser, schedule and regularisation, with DeiT's defaults where they suit small runs. */
import { z } from 'zod';
import { POSITION_FILTER_NAMES } from '../model/resize-positions.js';
import { FREEZE_ENTRY } from './freeze.js';

const share = z.number().min(0).lt(1);

/** The block without the rules that tie its keys together. */
export const trainFields = z.strictObject({
  epochs: z.int().min(1).nullable().default(null).describe('passes over the training images'),
  steps: z.int().min(1).nullable().default(null).describe('optimiser steps; instead of epochs'),
  batch: z.int().min(1).default(128).describe('images per step'),
  lr: z.number().positive().default(1e-3).describe('highest learning rate'),
  min_lr: z.number().min(0).default(1e-5).describe('learning rate at the end of the cosine'),
  warmup_epochs: z.number().min(0).default(0).describe('epochs of linear warm-up; may be a fraction'),
  weight_decay: z.number().min(0).default(0.05).describe('decoupled, on matrices only'),
  betas: z.tuple([share, share]).default([0.9, 0.999]).describe('AdamW: decay of the two moments'),
  eps: z.number().positive().default(1e-8).describe('AdamW: added to the denominator'),
  clip: z.number().positive().nullable().default(1).describe('largest gradient norm; null = no clipping'),
  label_smoothing: share.default(0).describe('share of the target spread over all classes'),
  drop_path: share.default(0).describe('stochastic depth: drop rate of the last block, growing linearly from 0'),
  eval_every: z.int().min(1).default(1).describe('epochs between evaluations; the last epoch is always evaluated'),
  log_every: z.int().min(1).default(10).describe('steps between lines of metrics.jsonl'),
});

/** The rules that tie keys together, for every block that has those of `trainFields`. */
export function checkTrain(
  { epochs, steps, lr, min_lr }: Pick<TrainConfig, 'epochs' | 'steps' | 'lr' | 'min_lr'>,
  context: z.RefinementCtx,
): void {
  if ((epochs === null) === (steps === null)) {
    const found = epochs === null ? 'neither' : 'both';
    context.addIssue({
      code: 'custom',
      path: ['epochs'],
      message: `give epochs or steps, and null for the other (--set train.epochs=null); found ${found}`,
    });
  }
  if (min_lr > lr) {
    context.addIssue({ code: 'custom', path: ['min_lr'], message: `must not exceed lr (${lr}), found ${min_lr}` });
  }
}

/** The `train:` block of `pretrain`. */
export const trainSchema = trainFields.superRefine(checkTrain);

/** Values that differ from those of `trainFields` in one stage. */
export interface TrainDefaults {
  readonly lr?: number;
  readonly weightDecay?: number;
  /** Length of a run that names neither epochs nor steps. */
  readonly steps?: number;
}

/** `trainSchema` with the defaults of one stage. */
export function trainSchemaWith({ lr, weightDecay, steps }: TrainDefaults) {
  const { shape } = trainFields;
  return trainFields
    .extend({ lr: withDefault(shape.lr, lr), weight_decay: withDefault(shape.weight_decay, weightDecay) })
    .overwrite((block) => (block.epochs === null && block.steps === null ? { ...block, steps: steps ?? null } : block))
    .superRefine(checkTrain);
}

function withDefault(field: z.ZodDefault<z.ZodNumber>, value: number | undefined): z.ZodDefault<z.ZodNumber> {
  return value === undefined
    ? field
    : field
        .unwrap()
        .default(value)
        .describe(field.description ?? '');
}

/** The checked `train:` block. */
export type TrainConfig = z.output<typeof trainFields>;

/** What `finetune` has besides. */
export const finetuneFields = trainFields.extend({
  head: z.enum(['auto', 'keep', 'replace']).default('auto').describe('auto = kept when the numbers of classes agree'),
  position_filter: z
    .enum(POSITION_FILTER_NAMES)
    .default('timm')
    .describe('how positions are resized for images of another size: as timm does, or Hugging Face'),
  layer_decay: z.number().positive().max(1).default(1).describe('learning rate per layer towards the input; 1 = off'),
  freeze: z
    .array(z.string().regex(FREEZE_ENTRY, 'expected a group or a parameter name, such as embeddings or blocks.0-3'))
    .default([])
    .describe('parameters that are not trained'),
  ema: z
    .strictObject({
      decay: share.default(0.999).describe('share of the average that one step keeps'),
      warmup: z.boolean().default(true).describe('keep less in the first steps'),
    })
    .nullable()
    .default(null)
    .describe('moving average of the weights, which becomes the model; null = off'),
});

/** The `train:` block of `finetune`. */
export const finetuneTrainSchema = finetuneFields.superRefine(checkTrain);

/** Length of a training run. */
export interface Plan {
  readonly steps: number;
  readonly stepsPerEpoch: number;
  readonly epochs: number;
  readonly warmupSteps: number;
}

/** How many steps a run has, when an epoch has `stepsPerEpoch` full batches. */
export function planRun(
  { epochs, steps, warmup_epochs }: Pick<TrainConfig, 'epochs' | 'steps' | 'warmup_epochs'>,
  stepsPerEpoch: number,
): Plan {
  const total = steps ?? (epochs ?? 0) * stepsPerEpoch;
  return {
    steps: total,
    stepsPerEpoch,
    epochs: Math.ceil(total / stepsPerEpoch),
    warmupSteps: Math.min(total, Math.round(warmup_epochs * stepsPerEpoch)),
  };
}
