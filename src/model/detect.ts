/** Reads a ViT's spec off the names and shapes of a checkpoint, and what lies beside it. */
import { ConfigError, ModelError } from '../base/errors.js';
import type { Facts } from './formats/facts.js';
import { type Part, type Recognised, recognise, type Shapes } from './formats/recognise.js';
import { parameterShapes } from './parameters.js';
import { geometry, type ModelSpec } from './spec.js';

export type { Shapes } from './formats/recognise.js';

/** What the user says because shapes cannot tell, or how to speak to the user. */
export interface Hints {
  readonly heads?: number | undefined;
  /** How the user gives the heads, for messages; default `--heads`. */
  readonly headsFlag?: string;
  /** What the user may give instead of a model, for messages: `--templates and --scalers`. */
  readonly insteadOfModel?: string;
  /** Height and width, pixels; default: what `config.json` says, or square. */
  readonly image?: readonly [number, number] | undefined;
  /** Added to the variance in layer norms. */
  readonly eps?: number | undefined;
  /** Zeros for biases of queries, keys and values that the file does not have. */
  readonly fillBias?: boolean | undefined;
}

/** The usual flag for the heads of a checkpoint, and the one for those of an ancestor beside another model. */
export const HEADS_FLAG = '--heads';
export const ANCESTOR_HEADS_FLAG = '--ancestor-heads';

/** What timm's ViTs add to the variance; it is built into timm and stands in no file. */
export const TIMM_EPS = 1e-6;

/** A checkpoint of another library, understood. */
export interface Detected extends Recognised {
  readonly spec: ModelSpec;
  /** Biases that are zeros because the file does not have them. */
  readonly filled: readonly string[];
  /** What was taken from where, one line each. */
  readonly notes: readonly string[];
}

/**
 * @param source what to call the checkpoint in errors
 * @param facts what the files beside it say
 * @throws ModelError when the tensors are not those of a ViT that this suite can run, contradict the files beside them, or
 * heads are not given; ConfigError when the heads given do not divide the width, or contradict what is known.
 */
export function detect(shapes: Shapes, hints: Hints, source: string, facts?: Facts): Detected {
  const found = recognise(shapes, source);
  const { heads, headsNote } = headsOf(hints, source, facts);
  const { eps, epsNote } = epsOf(found, hints, source, facts);
  const bare = sizesOf(found, hints, source, facts);
  const spec: ModelSpec = {
    ...bare,
    heads,
    eps,
    ...(facts?.preprocess && { preprocess: { ...facts.preprocess } }),
    ...(facts?.labels?.length === bare.classes && { labels: [...facts.labels] }),
  };
  checkStated(spec, facts, source);
  checkHeads(spec, source);
  const { parts, filled } = fillBiases(found, spec, { hints, facts, source });
  const filledShapes = new Map([...found.shapes, ...filled.map((name) => [name, [3 * spec.width]] as const)]);
  checkShapes(spec, filledShapes, source, found.keys.tensorsOf);
  checkUnknown(found.unknown, source);
  const notes = [headsNote, epsNote, ...(facts?.notes ?? [])];
  return { ...found, shapes: filledShapes, parts, spec, filled, notes };
}

/** The spec alone. */
export function detectSpec(shapes: Shapes, hints: Hints, source: string, facts?: Facts): ModelSpec {
  return detect(shapes, hints, source, facts).spec;
}

function sizesOf(
  found: Recognised,
  hints: Hints,
  source: string,
  facts: Facts | undefined,
): Omit<ModelSpec, 'heads' | 'eps'> {
  const inFile = (name: string) => found.keys.tensorsOf(name).join(' and ') || name;
  const shape = (name: string, rank: number): readonly number[] => {
    const own = found.shapes.get(name);
    if (!own) throw new ModelError(`${source}: tensor ${inFile(name)} is missing; ${whatIsMissing(name)}`);
    if (own.length === rank) return own;
    throw new ModelError(`${source}: ${inFile(name)} must have ${rank} axes, found [${own.join(', ')}]`);
  };
  const [width, channels, patch, patchAcross] = shape('patch_embed.proj.weight', 4);
  if (patch !== patchAcross) {
    throw new ModelError(`${source}: patches must be square, found ${patch}x${patchAcross}`);
  }
  const [classes] = shape('head.weight', 2);
  const [, positions] = shape('pos_embed', 3);
  let depth = 0;
  while (found.shapes.has(`blocks.${depth}.norm1.weight`)) depth++;
  if (depth === 0) throw new ModelError(`${source}: is not a ViT: it has no ${inFile('blocks.0.norm1.weight')}`);
  const [hidden] = shape('blocks.0.mlp.fc1.weight', 2);
  const class_token = found.shapes.has('cls_token');
  const distillation_token = found.shapes.has('dist_token');
  const register_tokens = found.shapes.has('reg_token') ? shape('reg_token', 3)[1] : 0;
  const final_norm = found.shapes.has('fc_norm.weight') ? 'fc_norm' : 'norm';
  const prefix = Number(class_token) + Number(distillation_token) + register_tokens;
  const hint = hints.image ?? facts?.image;
  return {
    ...imageSize({ positions, prefix, patch, hint, source }),
    patch,
    channels,
    depth,
    width,
    hidden,
    classes,
    pool: facts?.pool ?? (final_norm === 'fc_norm' || !class_token ? 'avg' : 'token'),
    final_norm,
    class_token,
    distillation_token,
    register_tokens,
  };
}

function whatIsMissing(name: string): string {
  if (name === 'head.weight') return 'a backbone without a classifier cannot be used: name a classifier';
  if (name === 'pos_embed') return 'a model without learned positions cannot be run: name a plain ViT or DeiT';
  return 'name a ViT or DeiT checkpoint';
}

/** What is said about heads or epsilon: by files, or by the user. */
interface Stated {
  readonly source: string;
  readonly facts: Facts | undefined;
}

/** @throws ConfigError when the two contradict each other. */
function agreed(name: string, given: number | undefined, known: number | undefined, flag: string, stated: Stated) {
  if (given !== undefined && known !== undefined && given !== known) {
    const { source, facts } = stated;
    throw new ConfigError(`${source}: ${facts?.from} says ${known} ${name}, ${flag} says ${given}; leave ${flag} out`);
  }
  return given ?? known;
}

function headsOf(hints: Hints, source: string, facts: Facts | undefined) {
  const flag = hints.headsFlag ?? HEADS_FLAG;
  const heads = agreed('heads', hints.heads, facts?.heads, flag, { source, facts });
  if (heads === undefined) {
    throw new ModelError(`${source}: does not say how many attention heads it has; give ${flag} N`);
  }
  const from = hints.heads === undefined ? `${facts?.from}: ${facts?.headsFrom}` : flag;
  return { heads, headsNote: `${heads} heads (${from})` };
}

function epsOf({ library }: Recognised, hints: Hints, source: string, facts: Facts | undefined) {
  const stated = agreed('as epsilon', hints.eps, facts?.eps, '--eps', { source, facts });
  if (stated !== undefined) {
    return {
      eps: stated,
      epsNote: `layer norm epsilon ${stated} (${hints.eps === undefined ? facts?.from : '--eps'})`,
    };
  }
  if (library === 'timm') return { eps: TIMM_EPS, epsNote: `layer norm epsilon ${TIMM_EPS} (that of all timm ViTs)` };
  throw new ModelError(
    `${source}: does not say the epsilon of its layer norms; put its config.json beside it, or convert it with ` +
      'wave convert --eps NUMBER',
  );
}

/** @throws ModelError when files say another size than the tensors have. */
function checkStated(spec: ModelSpec, facts: Facts | undefined, source: string): void {
  for (const { name, key, value } of facts?.sizes ?? []) {
    if (spec[key] === value) continue;
    throw new ModelError(
      `${source}: the tensors have ${key} ${spec[key]}, ${facts?.from} says ${name} ${value}; ` +
        'use the config.json that belongs to the checkpoint',
    );
  }
}

/** The heads are the one size that the tensors cannot check. */
function checkHeads(spec: ModelSpec, source: string): void {
  try {
    geometry(spec);
  } catch (error) {
    const isGiven = error instanceof ModelError && spec.width % spec.heads !== 0;
    throw isGiven ? new ConfigError(`${source}: ${error.message}`, { cause: error }) : error;
  }
}

/** Biases of queries, keys and values that a model does not have, where that is known or asked for. */
function fillBiases(
  { parts, keys }: Recognised,
  { depth, width }: ModelSpec,
  { hints, facts, source }: Stated & { readonly hints: Hints },
): Pick<Detected, 'parts' | 'filled'> {
  const whole = new Map(parts);
  const filled: string[] = [];
  for (let block = 0; block < depth; block++) {
    const name = `blocks.${block}.attn.qkv.bias`;
    const own = parts.get(name);
    const missing = own?.find(({ zeros }) => zeros);
    if (own && !missing) continue;
    if (hints.fillBias || (facts?.qkvBias === false && !own)) {
      const tensors = keys.tensorsOf(name);
      const zeros = (tensor: string): Part => ({ tensor, shape: [(3 * width) / tensors.length], zeros: true });
      whole.set(name, own ?? tensors.map(zeros));
      filled.push(name);
    } else if (missing) {
      throw new ModelError(
        `${source}: tensor ${missing.tensor} is missing, though its other biases are there; if the model has none, ` +
          'wave convert --fill-bias puts zeros there',
      );
    }
  }
  return { parts: whole, filled };
}

/** Tensors of ViT variants that compute something else than a plain ViT. */
const UNSUPPORTED: readonly [RegExp, string][] = [
  [/\.ls[12]\.gamma$|\.layer_scale\d?\.|\.gamma_[12]$/, 'layer scale'],
  [/\.attn\.[qk]_norm\./, 'query-key norm'],
  [/(^|\.)norm_pre\./, 'a norm before the blocks'],
  [/(^|\.)(rope|freqs)/, 'rotary positions'],
  [/\.mlp\.(fc1_g|fc1_x|w12)\./, 'a gated MLP'],
  [/relative_position_bias/, 'relative positions'],
  [/(^|\.)attn_pool\./, 'attention pooling'],
];

/**
 * @param inFile the tensors of the file that make a parameter, for messages
 * @throws ModelError when `shapes` are not exactly the parameters of `spec`: the first that is missing, of another shape
 * or too many is named.
 */
export function checkShapes(
  spec: ModelSpec,
  shapes: Shapes,
  source: string,
  inFile: (parameter: string) => readonly string[] = (parameter) => [parameter],
): void {
  const expected = parameterShapes(spec);
  const called = (name: string) => inFile(name).join(' and ') || name;
  for (const [name, shape] of expected) {
    const found = shapes.get(name);
    if (!found) throw new ModelError(`${source}: tensor ${called(name)} [${shape.join(', ')}] is missing`);
    if (found.length !== shape.length || found.some((size, axis) => size !== shape[axis])) {
      throw new ModelError(`${source}: ${called(name)} must be [${shape.join(', ')}], found [${found.join(', ')}]`);
    }
  }
  checkUnknown(
    [...shapes.keys()].filter((name) => !expected.has(name)),
    source,
  );
}

/** @throws ModelError naming the first. */
function checkUnknown(names: readonly string[], source: string): void {
  const [name] = names;
  if (name === undefined) return;
  const variant = UNSUPPORTED.find(([pattern]) => pattern.test(name));
  const what = variant ? `a ViT with ${variant[1]}` : 'not part of a plain ViT or DeiT';
  throw new ModelError(`${source}: tensor ${name} is ${what}, which this version cannot run`);
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
