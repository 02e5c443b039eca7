/** The two 16-bit floating-point formats, for which Node has no typed array: IEEE binary16 (F16) and bfloat16 (BF16). */

/** Smallest positive F16, a subnormal: 2^-24. */
const F16_STEP = 2 ** -24;

/** Bits of a float32 that BF16 drops. */
const BF16_DROPPED_BITS = 16;

let f16Values: Float32Array | undefined;

/** The value of every F16 bit pattern: 256 KiB, built at the first use, several times faster than decoding by bits. */
function f16Table(): Float32Array {
  if (f16Values === undefined) {
    f16Values = new Float32Array(1 << 16);
    for (let bits = 0; bits < f16Values.length; bits++) {
      f16Values[bits] = decodeF16(bits);
    }
  }
  return f16Values;
}

function decodeF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) {
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  if (exponent === 0) {
    return sign * fraction * F16_STEP;
  }
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Widens F16 bit patterns into `out`, starting at `offset`. Exact. */
export function widenF16(bits: Uint16Array, out: Float32Array, offset: number): void {
  const table = f16Table();
  for (let i = 0; i < bits.length; i++) {
    out[offset + i] = table[bits[i]];
  }
}

/** Widens BF16 bit patterns into `out`, starting at `offset`. Exact. */
export function widenBf16(bits: Uint16Array, out: Float32Array, offset: number): void {
  const outBits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < bits.length; i++) {
    outBits[offset + i] = bits[i] << BF16_DROPPED_BITS;
  }
}

/** Rounds float32 values to BF16 bit patterns: to nearest, ties to even; every NaN becomes one quiet NaN. */
export function roundToBf16(values: Float32Array): Uint16Array {
  const inBits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const bits = inBits[i];
    const kept = bits >>> BF16_DROPPED_BITS;
    out[i] = Number.isNaN(values[i]) ? 0x7fc0 : (bits + 0x7fff + (kept & 1)) >>> BF16_DROPPED_BITS;
  }
  return out;
}

/** Rounds float32 values to F16 bit patterns: to nearest, ties to even; above 65519 they become infinite. */
export function roundToF16(values: Float32Array): Uint16Array {
  const inBits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const sign = (inBits[i] >>> 16) & 0x8000;
    out[i] = sign | roundMagnitude(Math.abs(values[i]));
  }
  return out;
}

function roundMagnitude(value: number): number {
  if (Number.isNaN(value)) {
    return 0x7e00;
  }
  if (value >= 65520) {
    return 0x7c00;
  }
  if (value < 2 ** -14) {
    // Subnormal: a multiple of the step. A carry into the exponent gives the smallest normal number, as it should.
    return roundHalfToEven(value / F16_STEP);
  }
  // Exact, because log2 of a float32 just under a power of two still differs from the power in float64.
  const exponent = Math.floor(Math.log2(value));
  const fraction = roundHalfToEven((value / 2 ** exponent - 1) * 1024);
  // A fraction that rounds up to 1024 carries into the exponent.
  return ((exponent + 15) << 10) + fraction;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
