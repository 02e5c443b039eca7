/** Plain float64 loops over row-major arrays: what the compiled kernels and ops are compared with. */
export type Index = readonly number[];

/** Row-major values of any precision with their shape. */
export interface Numbers {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** Row-major values with their shape, in float64. */
export interface Reference {
  readonly shape: readonly number[];
  readonly values: number[];
}

/** All indices of `shape`, last axis fastest. */
export function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (heads, size) => heads.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

/** The array of `shape` whose element at `index` is `element(index)`. */
export function build(shape: readonly number[], element: (index: Index) => number): Reference {
  return { shape, values: indices(shape).map(element) };
}

/** Element of `array` at `index`; missing leading axes and axes of size one are broadcast. */
export function at({ shape, values }: Numbers, index: Index): number {
  const own = index.slice(index.length - shape.length);
  const offset = shape.reduce((sum, size, axis) => sum * size + (size === 1 ? 0 : own[axis]), 0);
  return values[offset];
}

/** `index` with `axis` replaced by 0, 1, ... `size - 1`. */
export function along(index: Index, axis: number, size: number): number[][] {
  return Array.from({ length: size }, (_, i) => index.map((own, a) => (a === axis ? i : own)));
}

export const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

/** `[rows, inner] x [inner, columns]`, operands given as functions. */
export function product(
  [rows, inner, columns]: readonly [number, number, number],
  a: (row: number, k: number) => number,
  b: (k: number, column: number) => number,
): Reference {
  return build([rows, columns], ([row, column]) =>
    sum(Array.from({ length: inner }, (_, k) => a(row, k) * b(k, column))),
  );
}

/** Error function by its Taylor series: exact to 1e-8 for |x| up to 4.3, the largest that tests use. */
export function erf(x: number): number {
  let [term, total] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

/** Softmax of one row. */
export function softmax(row: readonly number[]): number[] {
  const most = Math.max(...row);
  const exponentials = row.map((x) => Math.exp(x - most));
  const total = sum(exponentials);
  return exponentials.map((x) => x / total);
}
