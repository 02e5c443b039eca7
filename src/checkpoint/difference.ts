/** How far two lists of numbers are apart, gathered piece by piece so that tensors of any size need little memory. */
import type { NumberArray } from './numbers.js';

/**
 * A running comparison. Differences are taken in float64, those of two 64-bit integers exactly before. NaN against NaN
 * and an infinity against the same one are equal; what else is not finite has no difference and is counted.
 */
export class Difference {
  /** Places compared. */
  count = 0;
  /** Places that are not equal. */
  unequal = 0;
  /** Largest absolute difference of finite values. */
  largest = 0;
  /** Unequal places where one value is NaN or infinite, or where the difference is beyond float64. */
  notFinite = 0;
  /** Places where both are NaN. */
  bothNaN = 0;
  /** Sums of squares over the places with a difference: of the differences, and of the first list. */
  squares = 0;
  firstSquares = 0;

  /** Adds the next values of both lists, which must be equally many. */
  add(a: NumberArray, b: NumberArray): void {
    if (a.length !== b.length) throw new RangeError(`difference: ${a.length} values against ${b.length}`);
    if (isWide(a) && isWide(b)) {
      for (let i = 0; i < a.length; i++) this.#take(Number(a[i]), Number(a[i] - b[i]));
    } else {
      for (let i = 0; i < a.length; i++) this.#pair(Number(a[i]), Number(b[i]));
    }
    this.count += a.length;
  }

  /**
   * The 2-norm of the difference over that of the first list; 0 where nothing differs, null where there is no such number:
   * the first list is all zeros, or a sum is beyond float64.
   */
  get relative(): number | null {
    if (this.squares === 0) return 0;
    const share = Math.sqrt(this.squares / this.firstSquares);
    return Number.isFinite(share) && Number.isFinite(this.firstSquares) ? share : null;
  }

  #pair(x: number, y: number): void {
    if (x === y) {
      if (Number.isFinite(x)) this.firstSquares += x * x;
    } else if (Number.isNaN(x) && Number.isNaN(y)) {
      this.bothNaN++;
    } else {
      this.#take(x, x - y);
    }
  }

  #take(x: number, difference: number): void {
    if (!Number.isFinite(difference)) {
      this.unequal++;
      this.notFinite++;
      return;
    }
    this.firstSquares += x * x;
    if (difference === 0) return;
    this.unequal++;
    this.largest = Math.max(this.largest, Math.abs(difference));
    this.squares += difference * difference;
  }
}

function isWide(values: NumberArray): values is BigInt64Array | BigUint64Array {
  return values instanceof BigInt64Array || values instanceof BigUint64Array;
}
