/** The `train:` block: optimiser, schedule and regularisation, with DeiT's defaults where they suit small runs. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { POSITION_FILTER_NAMES } from '../model/resize-positions.js';
import { FREEZE_ENTRY } from './freeze.js';

const share = z.number().min(0).lt(1);

/** The block without the rules that tie its keys together. */
export const trainFields = z.strictObject({
  epochs: z.int().min(1).nullable().default(null).describe('passes over the training images'),
  steps: z.int().min(1).nullable().default(null).describe('optimiser steps; instead of epochs'),
  batch: z.int().min(1).default(128).describe('images that are computed at a time'),
  accumulate: z.int().min(1).default(1).describe('batches per step; the step is along the mean of their gradients'),
  lr: z.number().positive().default(1e-3).describe('highest learning rate'),
  lr_base_batch: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('images per step that lr is meant for; it is scaled in proportion; null = lr as it is'),
  min_lr: z.number().min(0).default(1e-5).describe('learning rate at the end of the cosine'),
  warmup_lr: z.number().min(0).nullable().default(null).describe('learning rate of the first step of the warm-up'),
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

/** What decides the highest learning rate and the images of a step. */
export type RateSettings = Pick<TrainConfig, 'batch' | 'accumulate' | 'lr' | 'lr_base_batch'>;

/** Images per optimiser step. */
export function stepImages({ batch, accumulate }: Pick<TrainConfig, 'batch' | 'accumulate'>): number {
  return batch * accumulate;
}

/** The highest learning rate of the run: `lr`, in proportion to the images of a step where `lr_base_batch` says so. */
export function scaledRate(settings: RateSettings): number {
  const { lr, lr_base_batch: base } = settings;
  return base === null ? lr : (lr * stepImages(settings)) / base;
}

/** How the highest learning rate comes about: `0.0005 x 1024/512 = 0.001`. */
export function rateText(settings: RateSettings): string {
  const { lr, lr_base_batch: base } = settings;
  if (base === null) return String(lr);
  return `${lr} x ${stepImages(settings)}/${base} = ${Number(scaledRate(settings).toPrecision(6))}`;
}

/** The rules that tie keys together, for every block that has those of `trainFields`. */
export function checkTrain(block: TrainConfig, context: z.RefinementCtx): void {
  const { epochs, steps } = block;
  if ((epochs === null) === (steps === null)) {
    const found = epochs === null ? 'neither' : 'both';
    context.addIssue({
      code: 'custom',
      path: ['epochs'],
      message: `give epochs or steps, and null for the other (--set train.epochs=null); found ${found}`,
    });
  }
  for (const key of ['min_lr', 'warmup_lr'] as const) {
    const value = block[key];
    if (value === null || value <= scaledRate(block)) continue;
    context.addIssue({
      code: 'custom',
      path: [key],
      message: `must not exceed lr (${rateText(block)}), found ${value}`,
    });
  }
}

/** The `train:` block that every training has. */
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

/** What stages have besides that train a model as it is. */
export const modelTrainFields = trainFields.extend({
  ema: z
    .strictObject({
      decay: share.default(0.999).describe('share of the average that one step keeps'),
      warmup: z.boolean().default(true).describe('keep less in the first steps'),
    })
    .nullable()
    .default(null)
    .describe('moving average of the weights, which becomes the model; null = off'),
  keep_best: z
    .boolean()
    .default(false)
    .describe('also write best.safetensors, the model of the evaluation with the highest top-1'),
});

/** The `train:` block of `pretrain`. */
export const pretrainTrainSchema = modelTrainFields.superRefine(checkTrain);

/** What `finetune` has besides. */
export const finetuneFields = modelTrainFields.extend({
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

/**
 * How many steps a run has. Batches of an epoch that do not fill a step are left out.
 *
 * @param batches full batches in an epoch
 * @throws ConfigError when an epoch does not fill one step.
 */
export function planRun(
  { epochs, steps, warmup_epochs, accumulate }: Pick<TrainConfig, 'epochs' | 'steps' | 'warmup_epochs' | 'accumulate'>,
  batches: number,
): Plan {
  const stepsPerEpoch = Math.floor(batches / accumulate);
  if (stepsPerEpoch === 0) {
    throw new ConfigError(
      `train.accumulate: a step needs ${accumulate} batches, an epoch has ${batches}; lower it, or train.batch`,
    );
  }
  const total = steps ?? (epochs ?? 0) * stepsPerEpoch;
  return {
    steps: total,
    stepsPerEpoch,
    epochs: Math.ceil(total / stepsPerEpoch),
    warmupSteps: Math.min(total, Math.round(warmup_epochs * stepsPerEpoch)),
  };
}
