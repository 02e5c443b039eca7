/** Reads a ViT's spec off the names and shapes of a timm checkpoint. */
import { ConfigError, ModelError } from '../base/errors.js';
import { parameterShapes } from './parameters.js';
import { geometry, type ModelSpec } from './spec.js';

/** Tensor shapes by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** What shapes cannot tell. */
export interface Hints {
  readonly heads?: number;
  /** How the user gives the heads, for messages; default `--heads`. */
  readonly headsFlag?: string;
  /** What the user may give instead of a model, for messages: `--templates and --scalers`. */
  readonly insteadOfModel?: string;
  /** Height and width, pixels; default: square. */
  readonly image?: readonly [number, number];
}

/** The usual flag for the heads of a checkpoint, and the one for those of an ancestor beside another model. */
export const HEADS_FLAG = '--heads';
export const ANCESTOR_HEADS_FLAG = '--ancestor-heads';

/** Epsilon of timm's ViTs, which is not stored in a checkpoint. */
const TIMM_EPS = 1e-6;

/**
 * @param source what to call the checkpoint in errors
 * @throws ModelError when the tensors are not those of a ViT that this suite can run, or heads are not given; ConfigError
 * when the heads given do not divide the width.
 */
export function detectSpec(shapes: Shapes, hints: Hints, source: string): ModelSpec {
  const shape = (name: string, rank: number): readonly number[] => {
    const found = shapes.get(name);
    if (!found) {
      throw new ModelError(`${source}: is not a timm ViT: tensor ${name} is missing; name a ViT or DeiT checkpoint`);
    }
    if (found.length === rank) return found;
    throw new ModelError(`${source}: ${name} must have ${rank} axes, found [${found.join(', ')}]`);
  };
  const [width, channels, patch, patchAcross] = shape('patch_embed.proj.weight', 4);
  if (patch !== patchAcross) {
    throw new ModelError(`${source}: patches must be square, found ${patch}x${patchAcross}`);
  }
  const [classes] = shape('head.weight', 2);
  const [, positions] = shape('pos_embed', 3);
  const depth = blockCount(shapes);
  if (depth === 0) throw new ModelError(`${source}: is not a timm ViT: it has no blocks.0.* tensors`);
  const [hidden] = shape('blocks.0.mlp.fc1.weight', 2);
  const class_token = shapes.has('cls_token');
  const distillation_token = shapes.has('dist_token');
  const register_tokens = shapes.has('reg_token') ? shape('reg_token', 3)[1] : 0;
  const final_norm = shapes.has('fc_norm.weight') ? 'fc_norm' : 'norm';
  const prefix = Number(class_token) + Number(distillation_token) + register_tokens;
  const { image, position_prefix } = imageSize({ positions, prefix, patch, hint: hints.image, source });
  if (hints.heads === undefined) {
    throw new ModelError(
      `${source}: does not say how many attention heads it has; give ${hints.headsFlag ?? HEADS_FLAG} N`,
    );
  }
  const spec: ModelSpec = {
    image,
    patch,
    channels,
    depth,
    width,
    heads: hints.heads,
    hidden,
    classes,
    eps: TIMM_EPS,
    pool: final_norm === 'fc_norm' || !class_token ? 'avg' : 'token',
    final_norm,
    class_token,
    distillation_token,
    register_tokens,
    position_prefix,
  };
  checkHeads(spec, source);
  checkShapes(spec, shapes, source);
  return spec;
}

/** The heads are the one size that the user gives. */
function checkHeads(spec: ModelSpec, source: string): void {
  try {
    geometry(spec);
  } catch (error) {
    const isGiven = error instanceof ModelError && spec.width % spec.heads !== 0;
    throw isGiven ? new ConfigError(`${source}: ${error.message}`, { cause: error }) : error;
  }
}

/** Tensors of ViT variants that compute something else than a plain ViT. */
const UNSUPPORTED: readonly [RegExp, string][] = [
  [/\.ls[12]\.gamma$/, 'layer scale'],
  [/\.attn\.[qk]_norm\./, 'query-key norm'],
  [/^norm_pre\./, 'a norm before the blocks'],
  [/^rope|^freqs/, 'rotary positions'],
  [/\.mlp\.(fc1_g|fc1_x|w12)\./, 'a gated MLP'],
];

/**
 * @throws ModelError when `shapes` are not exactly the parameters of `spec`: the first that is missing, of another shape
 * or too many is named.
 */
export function checkShapes(spec: ModelSpec, shapes: Shapes, source: string): void {
  const expected = parameterShapes(spec);
  for (const [name, shape] of expected) {
    const found = shapes.get(name);
    if (!found) throw new ModelError(`${source}: tensor ${name} [${shape.join(', ')}] is missing`);
    if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
      throw new ModelError(`${source}: ${name} must be [${shape.join(', ')}], found [${found.join(', ')}]`);
    }
  }
  for (const name of shapes.keys()) {
    if (expected.has(name)) continue;
    const variant = UNSUPPORTED.find(([pattern]) => pattern.test(name));
    const what = variant ? `a ViT with ${variant[1]}` : 'not part of a plain ViT or DeiT';
    throw new ModelError(`${source}: tensor ${name} is ${what}, which this version cannot run`);
  }
}

function blockCount(shapes: Shapes): number {
  let depth = 0;
  while (shapes.has(`blocks.${depth}.norm1.weight`)) depth++;
  return depth;
}

interface Grid {
  readonly positions: number;
  readonly prefix: number;
  readonly patch: number;
  readonly hint: readonly [number, number] | undefined;
  readonly source: string;
}

/** Whether positions cover the prefix tokens, and the image that the rest stands for. */
function imageSize({ positions, prefix, patch, hint, source }: Grid): Pick<ModelSpec, 'image' | 'position_prefix'> {
  for (const position_prefix of [true, false]) {
    const patches = positions - (position_prefix ? prefix : 0);
    if (hint && (hint[0] / patch) * (hint[1] / patch) === patches) return { image: [...hint], position_prefix };
    const side = Math.sqrt(patches);
    if (!hint && Number.isInteger(side)) return { image: [side * patch, side * patch], position_prefix };
  }
  if (hint) {
    throw new ModelError(
      `${source}: ${positions} positions with ${prefix} prefix tokens do not fit an image of ${hint.join('x')} in ` +
        `patches of ${patch}; give the image size that the model was made for`,
    );
  }
  throw new ModelError(
    `${source}: ${positions} positions with ${prefix} prefix tokens are no square grid of patches; ` +
      'convert the checkpoint to one that stores its image size',
  );
}
