/** The folder of a ViT or DeiT classifier of transformers: weights in its names, `config.json`, `preprocessor_config.json`. */
import { join } from 'node:path';
import { ModelError } from '../../base/errors.js';
import { CLASSIC, type HuggingFaceNames, huggingFaceKeys } from '../formats/huggingface-keys.js';
import { CONFIG_FILE, PREPROCESSOR_FILE } from '../formats/sidecars.js';
import { parameterShapes } from '../parameters.js';
import type { ModelSpec } from '../spec.js';
import { valuesFor, withPrefixRows, withTokenNorm } from './equivalent.js';
import { checkReadBack, SHARDS_FILE, WEIGHTS_FILE, writeJson, writeWeights } from './files.js';
import type { ExportFormat } from './format.js';
import { imageProcessor } from './huggingface-processor.js';
import { classNames, type FullPreprocess, fullPreprocess } from './preprocessing.js';

/** A classifier of transformers, and what it calls its tensors. */
interface Architecture {
  readonly name: string;
  readonly modelType: 'vit' | 'deit';
  readonly names: HuggingFaceNames;
}

const VIT = { modelType: 'vit', names: { ...CLASSIC, base: 'vit.', distillation: 'none' } } as const;
const DEIT = { modelType: 'deit', names: { ...CLASSIC, base: 'deit.' } } as const;

export const huggingFaceFormat: ExportFormat = {
  plan(spec, source) {
    architectureOf(spec, source);
    const preprocess = fullPreprocess(spec);
    if (preprocess === undefined) {
      throw new ModelError(
        `${source}: does not say how its images are normalised, which preprocessor_config.json has to; give --mean and ` +
          '--std',
      );
    }
    imageProcessor({ ...spec, preprocess }, source);
    const { labels: _, ...sizes } = withTokenNorm(withPrefixRows(spec));
    const labels = classNames(spec);
    return {
      files: [WEIGHTS_FILE, PREPROCESSOR_FILE, CONFIG_FILE],
      clashes: [SHARDS_FILE],
      spec: { ...sizes, preprocess, ...(labels && { labels: [...labels] }) },
      warnings: cropWarnings(spec.image, preprocess, source),
    };
  },

  async write(dir, model, { spec }) {
    const values = valuesFor(spec, model);
    const keys = huggingFaceKeys(architectureOf(spec, dir).names);
    const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [name, [rows = 0, ...rest]] of parameterShapes(spec)) {
      const own = values.get(name) as Float32Array;
      const parts = keys.tensorsOf(name);
      const size = own.length / parts.length;
      parts.forEach((part, i) => {
        const data = own.subarray(i * size, (i + 1) * size);
        tensors.set(part, { shape: [rows / parts.length, ...rest], data });
      });
    }
    await writeWeights(join(dir, WEIGHTS_FILE), tensors);
    await writeJson(join(dir, PREPROCESSOR_FILE), imageProcessor(spec, dir));
    await writeJson(join(dir, CONFIG_FILE), huggingFaceConfig(spec, dir));
  },

  async verify(dir, model, { spec }) {
    await checkReadBack(dir, { spec, values: valuesFor(spec, model) });
  },
};

/** @throws ModelError when transformers has no ViT or DeiT that computes what the model does. */
function architectureOf(spec: ModelSpec, source: string): Architecture {
  const refuse = (what: string) =>
    new ModelError(
      `${source}: ${what}, which ViT and DeiT of transformers cannot; use --format timm, it opens that too`,
    );
  if (!spec.class_token) throw refuse('has no class token');
  if (spec.pool === 'avg') throw refuse('reads the mean of its patches');
  if (spec.distillation_token) {
    if (spec.register_tokens > 0) throw refuse('has register tokens beside a distillation token');
    return {
      ...DEIT,
      name: 'DeiTForImageClassificationWithTeacher',
      names: { ...DEIT.names, distillation: 'head' },
    };
  }
  if (spec.register_tokens > 1) throw refuse(`has ${spec.register_tokens} register tokens`);
  // DeiT without a teacher has the distillation token and reads nothing from it: a register by another name.
  if (spec.register_tokens === 1) {
    return { ...DEIT, name: 'DeiTForImageClassification', names: { ...DEIT.names, distillation: 'token' } };
  }
  return { ...VIT, name: 'ViTForImageClassification' };
}

/**
 * transformers rounds half a pixel of margin down, timm and this suite to the even number: of margins that leave 3 when
 * divided by 4 the crops begin at different pixels.
 */
function cropWarnings(image: readonly [number, number], { resize }: FullPreprocess, source: string): string[] {
  if (!resize.some((side, axis) => (side - (image[axis] as number)) % 4 === 3)) return [];
  return [
    `${source}: images are resized to ${resize.join('x')} and cropped to ${image.join('x')}; of the odd margin ` +
      'transformers takes one pixel less above or to the left, so its crop lies one pixel beside; --crop-pct says otherwise',
  ];
}

/** The `config.json` of a model. */
export function huggingFaceConfig(spec: ModelSpec, source: string): object {
  const { name, modelType } = architectureOf(spec, source);
  const [height, width] = spec.image;
  const labels = classNames(spec) ?? Array.from({ length: spec.classes }, (_, id) => `LABEL_${id}`);
  return {
    architectures: [name],
    model_type: modelType,
    hidden_size: spec.width,
    num_hidden_layers: spec.depth,
    num_attention_heads: spec.heads,
    intermediate_size: spec.hidden,
    hidden_act: 'gelu',
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    initializer_range: 0.02,
    layer_norm_eps: spec.eps,
    image_size: height === width ? height : [height, width],
    patch_size: spec.patch,
    num_channels: spec.channels,
    qkv_bias: true,
    id2label: Object.fromEntries(labels.map((label, id) => [id, label])),
    label2id: Object.fromEntries(labels.map((label, id) => [label, id])),
  };
}
