/** Which models a bank can make: their sizes, and what to take instead of a size that does not fit. */
import { ModelError } from '../base/errors.js';
import { MOST } from '../model/limits.js';
import type { ModelSpec } from '../model/spec.js';
import type { BankSpec } from './bank.js';

/** Sizes of a model to be made. */
export interface TargetSize {
  readonly depth: number;
  readonly width: number;
  /** Attention heads; default: as many as keep the auxiliary model's head size. */
  readonly heads?: number | undefined;
}

/**
 * The model of a given size that a bank makes. Everything but depth, width, heads and hidden is that of the auxiliary
 * model; the head size stays, the MLP keeps its ratio.
 *
 * @throws ModelError when the width is no multiple of the template width or of the head size, naming the nearest widths
 * that are; when heads do not divide the width; as {@link checkTargetSize}.
 */
export function targetSpec({ model, templates }: BankSpec, { depth, width, heads }: TargetSize): ModelSpec {
  checkTargetSize({ depth, width, heads });
  const headSize = model.width / model.heads;
  const unit = heads === undefined ? widthUnit({ model, templates }) : templates.width;
  if (width % unit !== 0) {
    const below = Math.floor(width / unit) * unit;
    const nearest = [below, below + unit].filter((candidate) => candidate > 0);
    const byHeads = width % templates.width === 0;
    const rule = byHeads
      ? `the head size ${headSize} (or give the heads)`
      : `the template width ${templates.width}${unit === templates.width ? '' : ` and of the head size ${headSize}`}`;
    throw new ModelError(
      `width ${width} is no multiple of ${rule}; the nearest valid ` +
        (nearest.length === 1 ? `width is ${nearest[0]}` : `widths are ${nearest.join(' and ')}`),
    );
  }
  const targetHeads = heads ?? width / headSize;
  if (width % targetHeads !== 0) {
    throw new ModelError(`heads ${targetHeads} does not divide width ${width}; the bank's head size is ${headSize}`);
  }
  const blocks = model.width / templates.width;
  return {
    ...model,
    depth,
    width,
    heads: targetHeads,
    hidden: (model.hidden / blocks) * (width / templates.width),
  };
}

/** @throws ModelError when a size is no whole number, or beyond what is taken for a ViT's. */
export function checkTargetSize({ depth, width, heads = 1 }: TargetSize): void {
  for (const [name, size] of Object.entries({ depth, width, heads })) {
    if (!(Number.isInteger(size) && size >= 1)) {
      throw new ModelError(`${name} must be a whole number of at least 1, found ${size}`);
    }
    const most = MOST[name as 'depth' | 'width' | 'heads'];
    if (size > most) throw new ModelError(`${name} must be at most ${most}, found ${size}`);
  }
}

/**
 * What the widths of targets are multiples of.
 *
 * @param heads of the targets; default: as many as keep the auxiliary model's head size
 */
export function widthUnit({ model, templates }: BankSpec, heads?: number): number {
  return leastCommonMultiple(templates.width, heads ?? model.width / model.heads);
}

function leastCommonMultiple(a: number, b: number): number {
  return (a * b) / greatestCommonDivisor(a, b);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
