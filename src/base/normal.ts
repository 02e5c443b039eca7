/**
 * The normal distribution from +, -, *, / and square roots alone. IEEE 754 fixes those operations to the bit, while it
 * leaves the last bit of a logarithm or a cosine to the library; so these functions give the same numbers everywhere.
 */

/**
 * Coefficients of algorithm AS 241 (PPND16), highest power first: numerator and denominator of a rational function.
 * M. J. Wichura, "The Percentage Points of the Normal Distribution", Applied Statistics 37 (1988), 477-484.
 */
const CENTRE = {
  numerator: [
    2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
    133.14166789178438, 3.3871328727963665,
  ],
  denominator: [
    5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
    42.31333070160091, 1,
  ],
};
const MIDDLE = {
  numerator: [
    0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
    5.769497221460691, 4.630337846156546, 1.4234371107496835,
  ],
  denominator: [
    1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
    1.6763848301838038, 2.053191626637759, 1,
  ],
};
const FAR = {
  numerator: [
    2.0103343992922881e-7, 2.7115555687434876e-5, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
    1.7848265399172913, 5.463784911164114, 6.657904643501103,
  ],
  denominator: [
    2.0442631033899397e-15, 1.421511758316446e-7, 1.8463183175100548e-5, 0.0007868691311456133, 0.014875361290850615,
    0.1369298809227358, 0.599832206555888, 1,
  ],
};

/** Beyond this many standard deviations a double cannot tell the cumulative distribution from 0 or 1. */
const CDF_SATURATES_AT = 8.3;
/** Halvings of [0, 1] until neighbouring doubles are reached. */
const BISECTIONS = 64;

function rational(f: { readonly numerator: readonly number[]; readonly denominator: readonly number[] }, x: number) {
  let top = 0;
  let bottom = 0;
  for (const c of f.numerator) top = top * x + c;
  for (const c of f.denominator) bottom = bottom * x + c;
  return top / bottom;
}

/** Natural logarithm of a normal double `x` in (0, 1]: `x = m 2^e`, then `log m = 2 artanh((m - 1) / (m + 1))`. */
function logarithm(x: number): number {
  let m = x;
  let e = 0;
  while (m < Math.SQRT1_2) {
    m *= 2;
    e--;
  }
  const s = (m - 1) / (m + 1);
  // |s| <= 0.172, so the first term left out, s^23 / 23, is below 1e-18.
  let sum = 0;
  for (let k = 21; k >= 1; k -= 2) sum = sum * s * s + 1 / k;
  return e * Math.LN2 + 2 * s * sum;
}

/**
 * Quantile of the standard normal distribution: the `x` that a draw stays below with probability `p`.
 *
 * @param p probability, 0 < p < 1; 0 and 1 give -Infinity and Infinity.
 * @returns accurate to about 1 part in 10^15 (Wichura 1988, PPND16).
 */
export function normalQuantile(p: number): number {
  if (p <= 0) return Number.NEGATIVE_INFINITY;
  if (p >= 1) return Number.POSITIVE_INFINITY;
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * rational(CENTRE, 0.180625 - q * q);
  const r = Math.sqrt(-logarithm(q < 0 ? p : 1 - p));
  const x = r <= 5 ? rational(MIDDLE, r - 1.6) : rational(FAR, r - 5);
  return q < 0 ? -x : x;
}

/**
 * Cumulative distribution of the standard normal, as the inverse of `normalQuantile` by bisection. Slow: meant to be
 * called once per distribution, not once per draw.
 *
 * @returns probability of a draw below `x`.
 */
export function normalCdf(x: number): number {
  if (x <= -CDF_SATURATES_AT) return 0;
  if (x >= CDF_SATURATES_AT) return 1;
  let low = 0;
  let high = 1;
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (normalQuantile(middle) < x) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
