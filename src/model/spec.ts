/** What a ViT looks like: sizes, tokens and pooling. Stored as JSON in `wave.spec` of a model checkpoint. */
import { z } from 'zod';
import { ModelError } from '../base/errors.js';
import { INTERPOLATIONS, RESIZE_MODES } from '../base/resize-choices.js';
import { MOST, sizeUpTo } from './limits.js';

const side = sizeUpTo(MOST.image);

/** From an image file to what a model expects: resized, cropped in the centre, `(value / 255 - mean) / std` per channel. */
export const preprocessSchema = z.strictObject({
  mean: z.array(z.number()),
  std: z.array(z.number().positive()),
  /** Height and width before the crop, pixels; absent: those of the model's input. */
  resize: z.tuple([side, side]).optional(),
  /** `shortest` keeps the proportions and covers `resize`; `squash` makes it exactly that. Absent: `shortest`. */
  resize_mode: z.enum(RESIZE_MODES).optional(),
  /** Absent: `bicubic`. */
  interpolation: z.enum(INTERPOLATIONS).optional(),
});

/** Schema of a stored spec; `geometry` checks that the sizes fit together. */
export const modelSpecSchema = z.strictObject({
  /** Height and width of the input, in pixels. */
  image: z.tuple([side, side]),
  /** Side of a square patch, in pixels. */
  patch: side,
  channels: sizeUpTo(MOST.channels),
  depth: sizeUpTo(MOST.depth),
  width: sizeUpTo(MOST.width),
  heads: sizeUpTo(MOST.heads),
  /** Width of the MLP's hidden layer. */
  hidden: sizeUpTo(MOST.hidden),
  classes: sizeUpTo(MOST.classes),
  /** Added to the variance in every layer norm. */
  eps: z.number().positive(),
  /** What the head sees: the class token, or the mean of the patch tokens. */
  pool: z.enum(['token', 'avg']),
  /** `norm`: last layer norm on the tokens. `fc_norm`: after pooling (timm's mean-pooled models). */
  final_norm: z.enum(['norm', 'fc_norm']),
  class_token: z.boolean(),
  distillation_token: z.boolean(),
  register_tokens: sizeUpTo(MOST.registers, 0),
  /** Whether the position embedding has rows for the class, distillation and register tokens. */
  position_prefix: z.boolean(),
  /** Absent for a checkpoint that does not tell. */
  preprocess: preprocessSchema.optional(),
  /** Names of the classes, if known. */
  labels: z.array(z.string()).optional(),
});

/** A ViT without its weights. */
export type ModelSpec = z.infer<typeof modelSpecSchema>;
/** How images become pixel values. */
export type Preprocess = z.infer<typeof preprocessSchema>;

/** Numbers that follow from a spec. */
export interface Geometry {
  /** Patches down and across. */
  readonly grid: readonly [number, number];
  readonly patches: number;
  /** Class, distillation and register tokens. */
  readonly prefix: number;
  /** All tokens: prefix and patches. */
  readonly tokens: number;
  /** Numbers in one patch: channels * patch * patch. */
  readonly patchDim: number;
  readonly headSize: number;
  /** Rows of the position embedding. */
  readonly positions: number;
}

/**
 * @throws ModelError when the sizes do not fit together: width not divisible by heads, image not by patch, class-token
 * pooling without a class token.
 */
export function geometry(spec: ModelSpec): Geometry {
  const [height, width] = spec.image;
  if (height % spec.patch !== 0 || width % spec.patch !== 0) {
    throw new ModelError(
      `model: image ${height}x${width} is not divisible by patch ${spec.patch}: choose a patch that divides both sides`,
    );
  }
  if (spec.width % spec.heads !== 0) {
    throw new ModelError(
      `model: width ${spec.width} is not divisible by heads ${spec.heads}: choose heads among ${divisors(spec.width)}`,
    );
  }
  if (spec.pool === 'token' && !spec.class_token) {
    throw new ModelError('model: pool "token" needs class_token: true; use pool "avg" for a model without class token');
  }
  if (spec.distillation_token && spec.pool !== 'token') {
    throw new ModelError('model: a distillation token needs pool "token"');
  }
  const grid = [height / spec.patch, width / spec.patch] as const;
  const patches = grid[0] * grid[1];
  const prefix = Number(spec.class_token) + Number(spec.distillation_token) + spec.register_tokens;
  return {
    grid,
    patches,
    prefix,
    tokens: prefix + patches,
    patchDim: spec.channels * spec.patch ** 2,
    headSize: spec.width / spec.heads,
    positions: spec.position_prefix ? prefix + patches : patches,
  };
}

function divisors(n: number): string {
  return Array.from({ length: n }, (_, i) => i + 1)
    .filter((candidate) => n % candidate === 0)
    .join(', ');
}
