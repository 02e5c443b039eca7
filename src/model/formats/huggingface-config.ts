/** Hugging Face's `config.json` of a ViT or DeiT. */
import { z } from 'zod';
import { ModelError } from '../../base/errors.js';
import { type Facts, numberedLabels, statedSizes } from './facts.js';
import { checkFields, sides } from './json-file.js';

const count = z.int().positive();
const schema = z.object({
  model_type: z.string(),
  hidden_size: count.optional(),
  num_hidden_layers: count.optional(),
  num_attention_heads: count.optional(),
  intermediate_size: count.optional(),
  hidden_act: z.string().optional(),
  layer_norm_eps: z.number().positive().lt(1).optional(),
  image_size: sides.optional(),
  patch_size: sides.optional(),
  num_channels: count.optional(),
  qkv_bias: z.boolean().optional(),
  id2label: z.record(z.string(), z.string()).nullish(),
});

const MODEL_TYPES = ['vit', 'deit'];

/**
 * Fields that a file may leave out, with the values that transformers takes then (`ViTConfig` and `DeiTConfig` agree).
 * They are part of the format: transformers itself writes all of them.
 */
const DEFAULTS = { num_attention_heads: 12, layer_norm_eps: 1e-12, image_size: [224, 224] } as const;

const DEFAULT_OF_TRANSFORMERS = "transformers' default; config.json does not say";

/** Whether a config.json is one of transformers. */
export function isHuggingFaceConfig(config: Readonly<Record<string, unknown>>): boolean {
  return typeof config.model_type === 'string';
}

/** @throws ModelError naming the field that is wrong, or that asks for what this version cannot run. */
export function readHuggingFaceConfig(config: Readonly<Record<string, unknown>>, path: string): Facts {
  const fields = checkFields(schema, config, path);
  const { model_type, hidden_act } = fields;
  if (!MODEL_TYPES.includes(model_type)) {
    throw new ModelError(
      `${path}: model_type is ${JSON.stringify(model_type)}, which this version cannot run; known: ${MODEL_TYPES.join(', ')}; ` +
        'name a ViT or DeiT',
    );
  }
  if (hidden_act !== undefined && hidden_act !== 'gelu') {
    throw new ModelError(
      `${path}: hidden_act is ${JSON.stringify(hidden_act)}, which this version cannot run; known: gelu; name a model that ` +
        'was trained with it',
    );
  }
  return {
    from: path,
    library: 'huggingface',
    heads: fields.num_attention_heads,
    headsFrom: 'num_attention_heads',
    impliedHeads: { heads: DEFAULTS.num_attention_heads, from: DEFAULT_OF_TRANSFORMERS },
    eps: fields.layer_norm_eps,
    impliedEps: { eps: DEFAULTS.layer_norm_eps, from: DEFAULT_OF_TRANSFORMERS },
    image: fields.image_size ?? DEFAULTS.image_size,
    pool: 'token',
    qkvBias: fields.qkv_bias,
    labels: numberedLabels(fields.id2label ?? {}, 'id2label', path),
    sizes: statedSizes([
      ['hidden_size', 'width', fields.hidden_size],
      ['num_hidden_layers', 'depth', fields.num_hidden_layers],
      ['intermediate_size', 'hidden', fields.intermediate_size],
      ['patch_size', 'patch', fields.patch_size?.[0]],
      ['num_channels', 'channels', fields.num_channels],
      ['classes in id2label', 'classes', countOf(fields.id2label)],
    ]),
  };
}

function countOf(id2label: Readonly<Record<string, string>> | null | undefined): number | undefined {
  return Object.keys(id2label ?? {}).length || undefined;
}
