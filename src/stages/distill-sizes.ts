/** Which sizes a distillation trains besides the auxiliary model. */
import type { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { createRng } from '../base/rng.js';
import type { ModelSpec } from '../model/spec.js';
import { type BankSpec, type TargetSize, targetSpec, widthUnit } from '../wave/index.js';
import type { sizesSchema } from './distill-config.js';
import { givenSizes } from './given-sizes.js';

/** Most sizes of one run: each is a compiled step with its own memory, and is trained less often the more there are. */
const MOST_SIZES = 32;
/**
 * Sizes of `auto`: width and depth over those of the auxiliary model. They surround it on all sides, since a size between
 * trained ones is inherited well and one beyond them is not, and are few, since each takes memory and a share of the steps.
 */
const AUTO_SIZES: readonly (readonly [width: number, depth: number])[] = [
  [1 / 2, 2 / 3],
  [1 / 2, 4 / 3],
  [3 / 4, 1 / 3],
  [1, 1 / 3],
  [1, 2 / 3],
  [1, 4 / 3],
  [5 / 4, 4 / 3],
  [3 / 2, 2 / 3],
];

/**
 * The models that are trained besides the auxiliary one, each once. The auxiliary model's own size is left out: it is
 * trained anyway.
 *
 * @throws ConfigError when a size cannot be made, a range holds none, or there are too many.
 */
export function distilledModels(sizes: z.output<typeof sizesSchema>, bank: BankSpec): ModelSpec[] {
  const { model: auxiliary } = bank;
  const wanted = sizes === 'auto' ? autoSizes(bank) : sizes.flatMap((entry, i) => expand(entry, i, bank));
  const models = new Map<string, ModelSpec>();
  for (const size of wanted) {
    const model = targetSpec(bank, size);
    const label = sizeLabel(model, auxiliary);
    if (label !== sizeLabel(auxiliary)) models.set(label, model);
  }
  if (models.size > MOST_SIZES) {
    throw new ConfigError(`distill.sizes: makes ${models.size} sizes, at most ${MOST_SIZES}; narrow the ranges`);
  }
  return [...models.values()];
}

/** `64x4`: width and depth; `64x4h8` where the heads are not as many as keep the auxiliary model's head size. */
export function sizeLabel({ width, depth, heads }: TargetSize, auxiliary?: Pick<ModelSpec, 'width' | 'heads'>): string {
  const isUsual = auxiliary === undefined || heads === undefined || heads * auxiliary.width === width * auxiliary.heads;
  return isUsual ? `${width}x${depth}` : `${width}x${depth}h${heads}`;
}

/**
 * Which model step `step` (from 0) trains: 0 for the auxiliary one, else one of `sizes` others, drawn evenly. A pure
 * function of seed and step.
 *
 * @param share of the steps that train the others
 */
export function drawModel(seed: number, step: number, sizes: number, share: number): number {
  const rng = createRng(seed, 'distilled-size', step);
  return sizes > 0 && rng.uniform() < share ? 1 + rng.int(sizes) : 0;
}

/** Sizes around the auxiliary model's, each once: narrower and wider, shallower and deeper. */
export function autoSizes(bank: BankSpec): TargetSize[] {
  const { model } = bank;
  const unit = widthUnit(bank);
  const sizes = new Map<string, TargetSize>();
  for (const [widthRatio, depthRatio] of AUTO_SIZES) {
    const width = unit * Math.max(1, Math.round((widthRatio * model.width) / unit));
    const depth = Math.max(1, Math.round(depthRatio * model.depth));
    if (depth !== model.depth || width !== model.width) sizes.set(sizeLabel({ depth, width }), { depth, width });
  }
  return [...sizes.values()];
}

type Entry = Exclude<z.output<typeof sizesSchema>, 'auto'>[number];

/** All sizes of one entry of the list. */
function expand({ depth, width, heads }: Entry, index: number, bank: BankSpec): TargetSize[] {
  const path = `distill.sizes.${index}`;
  const depths = range(depth, 1, `${path}.depth`);
  const widths = typeof width === 'number' ? [width] : range(width, widthUnit(bank, heads), `${path}.width`);
  const sizes = widths.flatMap((each) => depths.map((one) => ({ depth: one, width: each, heads })));
  for (const size of sizes) givenSizes(() => targetSpec(bank, size), path);
  return sizes;
}

/** Multiples of `unit` in an inclusive range. */
function range(given: number | readonly [number, number], unit: number, path: string): number[] {
  const [least, most] = typeof given === 'number' ? [given, given] : given;
  if (least > most) throw new ConfigError(`${path}: a range begins with its smaller end, found [${least}, ${most}]`);
  const first = Math.ceil(least / unit);
  const count = Math.floor(most / unit) - first + 1;
  if (count < 1) {
    throw new ConfigError(`${path}: no multiple of ${unit} lies in [${least}, ${most}]; widen the range`);
  }
  if (count > MOST_SIZES) {
    throw new ConfigError(`${path}: [${least}, ${most}] makes ${count} sizes, at most ${MOST_SIZES}; narrow the range`);
  }
  return Array.from({ length: count }, (_, i) => (first + i) * unit);
}
