/**
 * The largest singular values of a dense matrix and their vectors.
 *
 * With few columns the Gram matrix is decomposed as a whole. With many, a randomised block Krylov method finds the right
 * singular subspace (Halko, Martinsson & Tropp 2011, SIAM Review 53; block Krylov form: Musco & Musco 2015): it reads
 * the matrix a handful of times, and every pass multiplies it with a few columns only. All sums are in float64.
 */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import { createRng, type Rng } from '../base/rng.js';

/** Row-major. */
export interface DenseMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** The leading singular triples, largest value first; fewer than were asked for where the rank is lower. */
export interface TruncatedSvd {
  readonly values: number[];
  /** Unit vectors of `rows` entries; the entry of largest magnitude is positive. */
  readonly left: Float64Array[];
  /** Unit vectors of `columns` entries. */
  readonly right: Float64Array[];
}

/** Up to this many columns the whole Gram matrix costs less than the passes of the Krylov method. */
const GRAM_COLUMNS = 160;
/** Columns of a block beyond the rank asked for: without them the last singular vectors converge slowly. */
const OVERSAMPLING = 8;
/** Blocks, each one pass over the matrix, after which the subspace is taken as it is. */
const MOST_BLOCKS = 12;
/** The search ends when a block adds less than this part of the energy that is not captured yet. */
const CONVERGED = 1e-4;
/** Singular values below this part of the largest are rounding: they are roots of a Gram matrix's eigenvalues. */
const NEGLIGIBLE = 1e-7;
/** A direction that orthogonalisation shortens to this part of its length is nothing but rounding. */
const DEPENDENT = 1e-10;

/**
 * @param rank singular triples wanted
 * @param seed of the random start; the result depends on it by rounding alone where it has converged
 */
export function truncatedSvd(matrix: DenseMatrix, rank: number, seed: number): TruncatedSvd {
  if (matrix.columns > matrix.rows) {
    const { values, left, right } = truncatedSvd(transposed(matrix), rank, seed);
    return signed({ values, left: right, right: left });
  }
  const wanted = Math.min(rank, matrix.columns);
  const squares = matrix.columns <= GRAM_COLUMNS ? gramEigen(matrix) : krylovEigen(matrix, wanted, seed);
  const largest = Math.sqrt(Math.max(squares.values[0] as number, 0));
  const kept = squares.values
    .slice(0, wanted)
    .map((square) => Math.sqrt(Math.max(square, 0)))
    .filter((value) => value > NEGLIGIBLE * largest);
  const right = squares.vectors.slice(0, kept.length);
  const left = project(matrix, right);
  // The length of `A v` is the more accurate singular value.
  const values = left.map((vector) => {
    const length = norm(vector);
    scale(vector, 1 / length);
    return length;
  });
  return signed({ values, left, right });
}

interface Eigen {
  /** Descending. */
  readonly values: number[];
  readonly vectors: Float64Array[];
}

/** Eigenvalues and vectors of a symmetric matrix, largest first. */
function symmetricEigen(symmetric: Matrix): Eigen {
  const decomposition = new EigenvalueDecomposition(symmetric, { assumeSymmetric: true });
  const values = [...decomposition.realEigenvalues].reverse();
  const { eigenvectorMatrix } = decomposition;
  const vectors = values.map((_, i) => Float64Array.from(eigenvectorMatrix.getColumn(values.length - 1 - i)));
  return { values, vectors };
}

function gramEigen({ rows, columns, data }: DenseMatrix): Eigen {
  const gram = Array.from({ length: columns }, () => new Float64Array(columns));
  for (let row = 0; row < rows; row++) {
    const values = data.subarray(row * columns, (row + 1) * columns);
    for (let i = 0; i < columns; i++) {
      const own = gram[i] as Float64Array;
      const value = values[i] as number;
      for (let j = 0; j <= i; j++) own[j] = (own[j] as number) + value * (values[j] as number);
    }
  }
  const entry = (i: number, j: number): number => (gram[Math.max(i, j)] as Float64Array)[Math.min(i, j)] as number;
  return symmetricEigen(
    new Matrix(Array.from({ length: columns }, (_, i) => Array.from({ length: columns }, (_, j) => entry(i, j)))),
  );
}

/** Leading eigenpairs of the Gram matrix by Rayleigh-Ritz in a block Krylov space, orthogonalised in full. */
function krylovEigen(matrix: DenseMatrix, wanted: number, seed: number): Eigen {
  const { columns } = matrix;
  const rng = createRng(seed, 'truncated-svd', matrix.rows, columns);
  const basis: Float64Array[] = [];
  const images: Float64Array[] = [];
  let block = Array.from({ length: Math.min(wanted + OVERSAMPLING, columns) }, () => normalVector(columns, rng));
  const total = squaredSum(matrix.data);
  let captured = 0;
  let pairs: Eigen = { values: [0], vectors: [] };
  for (let pass = 0; pass < MOST_BLOCKS; pass++) {
    const fresh = orthonormalise(block, basis);
    if (fresh.length === 0) break;
    basis.push(...fresh);
    const made = applyGram(matrix, fresh);
    images.push(...made);
    pairs = symmetricEigen(
      new Matrix(
        basis.map((own, i) => basis.map((other, j) => (i <= j ? dot(own, images[j]) : dot(other, images[i])))),
      ),
    );
    const energy = pairs.values.slice(0, wanted).reduce((sum, value) => sum + Math.max(value, 0), 0);
    const gained = energy - captured;
    captured = energy;
    if (pass > 0 && gained <= CONVERGED * Math.max(total - energy, Number.EPSILON * total)) break;
    block = made;
  }
  const vectors = pairs.vectors.slice(0, wanted).map((weights) => {
    const vector = new Float64Array(columns);
    weights.forEach((weight, i) => {
      addScaled(vector, weight, basis[i] as Float64Array);
    });
    return vector;
  });
  return { values: pairs.values, vectors };
}

/** An orthonormal basis of what `block` adds to the span of `basis`; twice, because once leaves rounding behind. */
function orthonormalise(block: readonly Float64Array[], basis: readonly Float64Array[]): Float64Array[] {
  const fresh: Float64Array[] = [];
  for (const start of block) {
    const vector = start.slice();
    const length = norm(vector);
    for (let round = 0; round < 2; round++) {
      for (const other of [...basis, ...fresh]) addScaled(vector, -dot(other, vector), other);
    }
    const left = norm(vector);
    if (left > DEPENDENT * length) {
      scale(vector, 1 / left);
      fresh.push(vector);
    }
  }
  return fresh;
}

/**
 * `A^T A X`, in one pass over the matrix: four rows at a time are multiplied with two vectors, which keeps the eight
 * sums in registers. Rows that are missing in the last group count as zero, and so does a vector missing in a pair.
 */
function applyGram({ rows, columns, data }: DenseMatrix, vectors: readonly Float64Array[]): Float64Array[] {
  const images = vectors.map(() => new Float64Array(columns));
  const spare = new Float64Array(columns);
  const group = new Float64Array(ROWS_TOGETHER * columns);
  for (let row = 0; row < rows; row += ROWS_TOGETHER) {
    group.fill(0);
    group.set(data.subarray(row * columns, Math.min(row + ROWS_TOGETHER, rows) * columns));
    for (let k = 0; k < vectors.length; k += 2) {
      const pair = [vectors[k] as Float64Array, vectors[k + 1] ?? spare] as const;
      addImages(group, pair, [images[k] as Float64Array, images[k + 1] ?? spare]);
    }
  }
  return images;
}

const ROWS_TOGETHER = 4;

type Pair = readonly [Float64Array, Float64Array];

/** Adds `G^T G x` to two images, `G` of four rows. */
function addImages(group: Float64Array, [u, v]: Pair, [imageU, imageV]: Pair): void {
  const n = u.length;
  const [second, third, fourth] = [n, 2 * n, 3 * n];
  let [u0, u1, u2, u3, v0, v1, v2, v3] = [0, 0, 0, 0, 0, 0, 0, 0];
  for (let j = 0; j < n; j++) {
    const x = u[j] as number;
    const y = v[j] as number;
    const a0 = group[j] as number;
    const a1 = group[second + j] as number;
    const a2 = group[third + j] as number;
    const a3 = group[fourth + j] as number;
    u0 += a0 * x;
    u1 += a1 * x;
    u2 += a2 * x;
    u3 += a3 * x;
    v0 += a0 * y;
    v1 += a1 * y;
    v2 += a2 * y;
    v3 += a3 * y;
  }
  for (let j = 0; j < n; j++) {
    const a0 = group[j] as number;
    const a1 = group[second + j] as number;
    const a2 = group[third + j] as number;
    const a3 = group[fourth + j] as number;
    imageU[j] = (imageU[j] as number) + (u0 * a0 + u1 * a1 + (u2 * a2 + u3 * a3));
    imageV[j] = (imageV[j] as number) + (v0 * a0 + v1 * a1 + (v2 * a2 + v3 * a3));
  }
}

/** `A v` for every vector. */
function project({ rows, columns, data }: DenseMatrix, vectors: readonly Float64Array[]): Float64Array[] {
  return vectors.map((vector) => {
    const image = new Float64Array(rows);
    for (let row = 0, at = 0; row < rows; row++) {
      let sum = 0;
      for (let j = 0; j < columns; j++, at++) sum += (data[at] as number) * (vector[j] as number);
      image[row] = sum;
    }
    return image;
  });
}

function transposed({ rows, columns, data }: DenseMatrix): DenseMatrix {
  const result = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = data[i * columns + j] as number;
  }
  return { rows: columns, columns: rows, data: result };
}

/** A singular pair is defined up to its sign; this fixes it. */
function signed(svd: TruncatedSvd): TruncatedSvd {
  svd.left.forEach((vector, t) => {
    const extreme = vector.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
    if (extreme >= 0) return;
    scale(vector, -1);
    scale(svd.right[t] as Float64Array, -1);
  });
  return svd;
}

function normalVector(length: number, rng: Rng): Float64Array {
  return Float64Array.from({ length }, () => rng.normal());
}

/** Squared Frobenius norm. */
export function squaredSum(values: Float32Array | readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return sum;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector));
}

function scale(vector: Float64Array, factor: number): void {
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) * factor;
}

function addScaled(vector: Float64Array, factor: number, other: Float64Array): void {
  for (let i = 0; i < vector.length; i++) vector[i] = (vector[i] as number) + factor * (other[i] as number);
}
