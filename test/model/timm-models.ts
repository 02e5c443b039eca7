/** The models whose shapes and logits timm has told (scripts/fixtures/make-timm-fixtures.py). */
import type { ModelSpec } from '#wave/model/spec.js';
import { specOf } from './support.js';

const DEIT_TINY = { width: 192, depth: 12, heads: 3, image: 224, patch: 16, channels: 3, classes: 1000 };
const SMALL = { width: 48, depth: 2, heads: 3, image: 16, patch: 4, channels: 3, classes: 10 };

/** The small model, whose checkpoints are among the fixtures whole. */
export const small = (more: Partial<ModelSpec> = {}): ModelSpec => specOf(SMALL, { hidden: 96, ...more });

/** By the name of their fixtures. */
export const TIMM_MODELS: [string, ModelSpec][] = [
  ['deit_tiny_patch16_224', specOf(DEIT_TINY)],
  ['deit_tiny_distilled_patch16_224', specOf(DEIT_TINY, { distillation_token: true })],
  ['token', small()],
  ['distilled', small({ distillation_token: true })],
  ['mean', small({ pool: 'avg', final_norm: 'fc_norm' })],
  ['mean-without-class-token', small({ pool: 'avg', final_norm: 'fc_norm', class_token: false })],
  ['registers', small({ register_tokens: 4 })],
  ['registers-unplaced', small({ register_tokens: 4, position_prefix: false })],
];
