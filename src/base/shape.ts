/** Shapes of tensors: lists of sizes, row-major. */

/** Number of elements of `shape`; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
