/** Where in a weight, in the standard arrangement, the entries of a template go. */
import { elementCount } from '../base/shape.js';
import { isBlockwise } from './arrangement.js';
import { isSplit, type KindShape, type TemplateLayout } from './bank.js';
import type { Axis } from './kinds.js';

/** A split axis of a weight. */
export interface AxisBlocks {
  /** Length in the template. */
  readonly size: number;
  /** Blocks of that length. */
  readonly blocks: number;
  readonly groups: number;
  readonly blockwise: boolean;
}

/** @param size of the axis in the template */
export function axisBlocks(axis: Axis, size: number, blocks: number, layout: TemplateLayout): AxisBlocks {
  return { size, blocks, groups: axis.groups, blockwise: isBlockwise(axis, layout.kronecker, 'standard') };
}

/** Position on the axis of the weight of entry `i` of the template in one block. */
export function place({ size, blocks, groups, blockwise }: AxisBlocks, i: number, block: number): number {
  const unit = size / groups;
  const within = i % unit;
  return (i - within) * blocks + (blockwise ? block * unit + within : within * blocks + block);
}

/** Where the entries of a template land in the weight, for one block of the scaler: two lists of offsets to be added. */
export interface Offsets {
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** Offsets of one block: of every template row (all axes but the last) and of every template column (the last axis). */
export function entryOffsets(
  { kind, full, template, blocks }: KindShape,
  layout: TemplateLayout,
  entry: number,
): Offsets {
  const splits = kind.axes.filter(isSplit).length;
  let seen = 0;
  const perAxis = kind.axes.map((axis, i) => {
    const size = template[i] as number;
    const stride = elementCount(full.slice(i + 1));
    if (!isSplit(axis)) return Int32Array.from({ length: size }, (_, k) => k * stride);
    const block = Math.floor(entry / blocks ** (splits - 1 - seen++)) % blocks;
    const split = axisBlocks(axis, size, blocks, layout);
    return Int32Array.from({ length: size }, (_, k) => place(split, k, block) * stride);
  });
  const columns = perAxis.pop() as Int32Array;
  let rows: Int32Array = Int32Array.of(0);
  for (const offsets of perAxis) {
    const previous = rows;
    rows = new Int32Array(previous.length * offsets.length);
    previous.forEach((a, i) => {
      offsets.forEach((b, j) => {
        rows[i * offsets.length + j] = a + b;
      });
    });
  }
  return { rows, columns };
}
