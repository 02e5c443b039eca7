/** timm's folder: `config.json` with the arguments that make the model, and its weights under the names they have here. */
import { join } from 'node:path';
import { ModelError } from '../../base/errors.js';
import { TIMM_EPS } from '../detect.js';
import { CONFIG_FILE, PREPROCESSOR_FILE } from '../formats/sidecars.js';
import { parameterShapes } from '../parameters.js';
import { geometry, type ModelSpec } from '../spec.js';
import { valuesFor, withPrefixRows, withTokenNorm } from './equivalent.js';
import { checkReadBack, SHARDS_FILE, WEIGHTS_FILE, writeJson, writeWeights } from './files.js';
import type { ExportFormat, ExportModel, ExportPlan } from './format.js';
import { classNames, type FullPreprocess, fullPreprocess } from './preprocessing.js';

/** Any plain ViT of timm would do: `model_args` say all sizes. */
const PLAIN = 'vit_tiny_patch16_224';
/** The class that has a second head. */
const DISTILLED = 'deit_tiny_distilled_patch16_224';

export const timmFormat: ExportFormat = {
  plan(spec, source) {
    if (spec.distillation_token && spec.register_tokens > 0) {
      throw new ModelError(
        `${source}: has a distillation token and register tokens, which no ViT of timm has; use --format onnx`,
      );
    }
    const { preprocess, warnings } = storedPreprocess(spec, source);
    const { preprocess: _, labels: __, ...sizes } = timmForm(spec);
    const labels = classNames(spec);
    return {
      files: [WEIGHTS_FILE, CONFIG_FILE],
      clashes: [SHARDS_FILE, PREPROCESSOR_FILE],
      spec: { ...sizes, eps: TIMM_EPS, ...(preprocess && { preprocess }), ...(labels && { labels: [...labels] }) },
      warnings,
    };
  },

  async write(dir, model, { spec }) {
    const values = valuesFor(spec, model);
    const tensors = new Map<string, { shape: readonly number[]; data: Float32Array }>();
    for (const [name, shape] of parameterShapes(spec)) {
      tensors.set(name, { shape, data: values.get(name) as Float32Array });
    }
    await writeWeights(join(dir, WEIGHTS_FILE), tensors);
    await writeJson(join(dir, CONFIG_FILE), timmConfig(spec));
  },

  async verify(dir: string, model: ExportModel, { spec }: ExportPlan) {
    await checkReadBack(dir, { spec, values: valuesFor(spec, model) });
  },
};

/** timm's distilled models have positions for both tokens and a norm on the tokens, always. */
function timmForm(spec: ModelSpec): ModelSpec {
  if (spec.distillation_token) return withTokenNorm(withPrefixRows(spec));
  // Without tokens before the patches there are no rows to have or not to have.
  return geometry(spec).prefix === 0 ? withPrefixRows(spec) : spec;
}

/** The `config.json` of a model in timm's form. */
export function timmConfig(spec: ModelSpec): object {
  const { image, channels, classes, width } = spec;
  const preprocess = fullPreprocess(spec);
  const labels = classNames(spec);
  return {
    architecture: spec.distillation_token ? DISTILLED : PLAIN,
    num_classes: classes,
    num_features: width,
    global_pool: spec.pool,
    ...(labels && { label_names: labels }),
    model_args: {
      img_size: image,
      patch_size: spec.patch,
      in_chans: channels,
      embed_dim: width,
      depth: spec.depth,
      num_heads: spec.heads,
      mlp_ratio: mlpRatio(spec),
      global_pool: spec.pool,
      class_token: spec.class_token,
      reg_tokens: spec.register_tokens,
      no_embed_class: !spec.position_prefix,
      fc_norm: spec.final_norm === 'fc_norm',
    },
    pretrained_cfg: {
      input_size: [channels, ...image],
      fixed_input_size: true,
      ...(preprocess && {
        interpolation: preprocess.interpolation,
        crop_pct: cropFor(preprocess.resize, image),
        crop_mode: preprocess.resize_mode === 'squash' ? 'squash' : 'center',
        mean: preprocess.mean,
        std: preprocess.std,
      }),
      num_classes: classes,
      first_conv: 'patch_embed.proj',
      classifier: spec.distillation_token ? ['head', 'head_dist'] : 'head',
    },
  };
}

/** timm has no hidden width but `int(width * mlp_ratio)`, and the product may fall short of a whole number. */
export function mlpRatio({ width, hidden }: Pick<ModelSpec, 'width' | 'hidden'>): number {
  const ratio = hidden / width;
  return Math.trunc(width * ratio) === hidden ? ratio : (hidden + 0.5) / width;
}

/** What timm's configuration can say of a model's preprocessing, and what it cannot. */
function storedPreprocess(
  spec: ModelSpec,
  source: string,
): { readonly preprocess?: FullPreprocess; readonly warnings: readonly string[] } {
  const preprocess = fullPreprocess(spec);
  if (preprocess === undefined) {
    return {
      warnings: [
        `${source} does not say how its images are normalised: config.json has no mean and std, and timm takes ` +
          "ImageNet's; give --mean and --std",
      ],
    };
  }
  const crop = cropFor(preprocess.resize, spec.image);
  const resize = resizedBy(crop, spec.image);
  const [wanted, found] = [preprocess.resize.join('x'), resize.join('x')];
  if (wanted === found) return { preprocess, warnings: [] };
  const warning = `timm cannot resize images to ${wanted} for an input of ${spec.image.join('x')}; config.json says ${found}`;
  return { preprocess: { ...preprocess, resize }, warnings: [warning] };
}

/** timm's own arithmetic, so that both ends agree. */
function resizedBy(crop: number, image: readonly [number, number]): [number, number] {
  return [Math.floor(image[0] / crop), Math.floor(image[1] / crop)];
}

/** The share of the resized image that the crop keeps: the shortest number that timm's arithmetic takes to `resize`. */
function cropFor(resize: readonly [number, number], image: readonly [number, number]): number {
  // Sizes are rounded down, so each side allows for a range of shares.
  const most = Math.min(image[0] / resize[0], image[1] / resize[1]);
  const least = Math.max(image[0] / (resize[0] + 1), image[1] / (resize[1] + 1));
  const short = [1, 2, 3, 4].map((digits) => Math.floor(most * 10 ** digits) / 10 ** digits);
  const exact = (crop: number) => crop > 0 && resizedBy(crop, image).join() === resize.join();
  return [...short, most, (least + most) / 2].find(exact) ?? image[0] / (resize[0] + 0.5);
}
