/** Reads a ViT's spec off the names and shapes of a checkpoint, and what lies beside it. */
import { ModelError } from '../base/errors.js';
import { checkShapes } from './check-shapes.js';
import { sizesOf } from './detect-sizes.js';
import { checkHeads, checkLibrary, checkSizes, epsOf, headsOf, type Stated } from './detect-stated.js';
import type { Facts } from './formats/facts.js';
import { type Part, type Recognised, recognise, type Shapes } from './formats/recognise.js';
import { type Hints, TIMM_EPS } from './hints.js';
import { type ModelSpec, modelSpecSchema } from './spec.js';

export type { Shapes } from './formats/recognise.js';
export { ANCESTOR_HEADS_FLAG, HEADS_FLAG, type Hints, TIMM_EPS } from './hints.js';

/** A checkpoint of another library, understood. */
export interface Detected extends Recognised {
  readonly spec: ModelSpec;
  /** Biases that are zeros because the file does not have them. */
  readonly filled: readonly string[];
  /** Where the heads are from: a file and its field, or a flag. */
  readonly headsFrom: string;
  readonly epsFrom: string;
  /** What of the files beside it was left aside, one line each. */
  readonly notes: readonly string[];
}

/**
 * @param source what to call the checkpoint in errors
 * @param facts what the files beside it say
 * @throws ModelError when the tensors are not those of a ViT that this suite can run, contradict the files beside them, or
 * heads are not given; ConfigError when the heads given do not divide the width, or contradict what is known.
 */
export function detect(shapes: Shapes, hints: Hints, source: string, facts?: Facts): Detected {
  const stated: Stated = { source, facts, hints };
  const found = recognise(shapes, source);
  const { library } = found;
  checkLibrary(library, stated);
  const sizes = sizesOf(found, stated);
  checkSizes(sizes, stated);
  // Tensors need neither heads nor epsilon, and what is wrong with them comes before what is asked of the user.
  const unasked: ModelSpec = { ...sizes, heads: 1, eps: TIMM_EPS };
  checkHeads(unasked, stated);
  checkLimits(unasked, source);
  const { parts, filled, absent } = fillBiases(found, sizes, stated);
  const filledShapes = new Map([...found.shapes, ...filled.map((name) => [name, [3 * sizes.width]] as const)]);
  const { keys, unknown } = found;
  checkShapes(unasked, filledShapes, source, {
    inFile: keys.tensorsOf,
    unknown,
    absent: [...found.absent, ...absent],
  });
  const { heads, headsFrom } = headsOf(stated, sizes.width);
  const { eps, epsFrom } = epsOf(stated, library);
  const { preprocess, labels, notes } = usable(facts, sizes);
  if (!sizes.position_prefix && !(hints.image ?? facts?.image)) {
    notes.push(`a square image of ${sizes.image.join('x')} and prefix tokens without positions are assumed`);
  }
  const spec: ModelSpec = { ...sizes, heads, eps, ...(preprocess && { preprocess }), ...(labels && { labels }) };
  checkHeads(spec, stated);
  checkLimits(spec, source);
  return { ...found, shapes: filledShapes, parts, spec, filled, headsFrom, epsFrom, notes };
}

/** The spec alone. */
export function detectSpec(shapes: Shapes, hints: Hints, source: string, facts?: Facts): ModelSpec {
  return detect(shapes, hints, source, facts).spec;
}

/** Labels and preprocessing that fit the model; what does not is left aside, with a note. */
function usable(
  facts: Facts | undefined,
  { classes, channels }: Pick<ModelSpec, 'classes' | 'channels'>,
): Pick<ModelSpec, 'labels' | 'preprocess'> & { notes: string[] } {
  const notes = [...(facts?.notes ?? [])];
  const { labels, preprocess, from } = facts ?? {};
  if (labels && labels.length !== classes)
    notes.push(`${from}: names ${labels.length} classes of ${classes}; left aside`);
  const { mean = [], std = [] } = preprocess ?? {};
  const fits = [mean, std].every(({ length }) => length === channels || length === 1);
  if (preprocess && !fits) {
    notes.push(`${from}: mean and std are not those of images with ${channels} channels; left aside`);
  }
  const spread = (values: readonly number[]) => Array.from({ length: channels }, (_, i) => values[i] ?? values[0]);
  return {
    notes,
    ...(labels?.length === classes && { labels: [...labels] }),
    ...(preprocess && fits && { preprocess: { ...preprocess, mean: spread(mean), std: spread(std) } }),
  };
}

/** @throws ModelError for sizes that no ViT has. */
function checkLimits(spec: ModelSpec, source: string): void {
  const parsed = modelSpecSchema.safeParse(spec);
  if (parsed.success) return;
  const [issue] = parsed.error.issues;
  throw new ModelError(`${source}: ${issue?.path.join('.')}: ${issue?.message}; name a ViT or DeiT checkpoint`);
}

/** Biases of queries, keys and values that a model does not have, where that is known or asked for; others are absent. */
function fillBiases(
  { parts, keys }: Recognised,
  { depth, width }: Pick<ModelSpec, 'depth' | 'width'>,
  { hints, facts, source }: Stated,
): Pick<Detected, 'parts' | 'filled' | 'absent'> {
  const whole = new Map(parts);
  const [filled, absent]: [string[], string[]] = [[], []];
  for (let block = 0; block < depth; block++) {
    const name = `blocks.${block}.attn.qkv.bias`;
    const own = parts.get(name);
    const missing = own?.filter(({ zeros }) => zeros) ?? [];
    if (own && facts?.qkvBias === false) {
      throw new ModelError(
        `${source}: has tensor ${keys.tensorsOf(name).join(' and ')}, ${facts.from} says qkv_bias false; use the ` +
          'config.json that belongs to the checkpoint',
      );
    }
    if (own && missing.length === 0) continue;
    if (hints.fillBias || facts?.qkvBias === false) {
      const tensors = keys.tensorsOf(name);
      const zeros = (tensor: string): Part => ({ tensor, shape: [(3 * width) / tensors.length], zeros: true });
      whole.set(name, own ?? tensors.map(zeros));
      filled.push(name);
    } else {
      absent.push(...missing.map(({ tensor }) => tensor));
    }
  }
  return { parts: whole, filled, absent };
}
