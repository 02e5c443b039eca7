/** A model for another image size: its position embedding resized to the new grid of patches. */

import { ModelError } from '../base/errors.js';
import { type Filter, resampleAxis } from '../base/resample.js';
import type { PositionFilter } from './choices.js';
import { MOST } from './limits.js';
import { geometry, type ModelSpec } from './spec.js';

export { POSITION_FILTER_NAMES, type PositionFilter } from './choices.js';

/** How libraries resize positions: timm with antialiasing, Hugging Face without. */
export const POSITION_FILTERS = {
  timm: 'antialiased-bicubic',
  huggingface: 'bicubic',
} as const satisfies Record<PositionFilter, Filter>;

interface Model {
  readonly spec: ModelSpec;
  /** By timm name. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/**
 * The spec for `image`: where images were resized before the crop, they are in the same proportion to the new size.
 *
 * @param image height and width, pixels
 * @throws ModelError when patches do not divide it, or the size before the crop becomes too large.
 */
export function resizedSpec(spec: ModelSpec, image: readonly [number, number]): ModelSpec {
  const resized: ModelSpec = { ...spec, image: [...image], ...resizedPreprocess(spec, image) };
  geometry(resized);
  return resized;
}

/**
 * The model with the positions of `image`. Rows of the prefix tokens stay as they are. Grids are compared, not counts: one
 * of 2x8 is resized for 4x4.
 *
 * @param image height and width, pixels
 * @throws ModelError when patches do not divide it.
 */
export function resizePositions(
  { spec, values }: Model,
  image: readonly [number, number],
  filter: PositionFilter = 'timm',
): Model {
  const resized = resizedSpec(spec, image);
  const [before, after] = [geometry(spec), geometry(resized)];
  if (before.grid.join() === after.grid.join()) return { spec: resized, values };
  const positions = values.get('pos_embed') as Float32Array;
  const prefix = (before.positions - before.patches) * spec.width;
  const [rows, columns] = before.grid;
  const kernel = POSITION_FILTERS[filter];
  const tall = resampleAxis(
    positions.subarray(prefix),
    { outer: 1, size: rows, inner: columns * spec.width },
    after.grid[0],
    kernel,
  );
  const grid = resampleAxis(tall, { outer: after.grid[0], size: columns, inner: spec.width }, after.grid[1], kernel);
  const joined = new Float32Array(prefix + grid.length);
  joined.set(positions.subarray(0, prefix));
  joined.set(grid, prefix);
  return { spec: resized, values: new Map([...values, ['pos_embed', joined]]) };
}

function resizedPreprocess({ preprocess, image: [height, width] }: ModelSpec, image: readonly [number, number]) {
  const { resize } = preprocess ?? {};
  if (!preprocess || !resize) return {};
  const scaled = (side: number, from: number, to: number) => Math.max(to, Math.round((side * to) / from));
  const sides: [number, number] = [scaled(resize[0], height, image[0]), scaled(resize[1], width, image[1])];
  if (sides.some((side) => side > MOST.image)) {
    throw new ModelError(
      `model: before the crop to ${image.join('x')} images would be resized to ${sides.join('x')} pixels, at most ` +
        `${MOST.image} a side; choose a smaller image`,
    );
  }
  return { preprocess: { ...preprocess, resize: sides } };
}
