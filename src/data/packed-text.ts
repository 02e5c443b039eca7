/** Many short texts in two blocks of shared memory: a million file names cost threads nothing, and no copy. */

/** Texts by position; plain data, so it crosses to threads. */
export interface PackedText {
  /** UTF-8, one after the other. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** `[count + 1]`: where each begins, and the end. */
  readonly starts: Float64Array<SharedArrayBuffer>;
}

export function packText(texts: readonly string[]): PackedText {
  const starts = new Float64Array(new SharedArrayBuffer((texts.length + 1) * Float64Array.BYTES_PER_ELEMENT));
  texts.forEach((text, i) => {
    starts[i + 1] = starts[i] + Buffer.byteLength(text, 'utf8');
  });
  const bytes = new Uint8Array(new SharedArrayBuffer(starts[texts.length]));
  const encoder = new TextEncoder();
  texts.forEach((text, i) => {
    // encodeInto does not write to shared memory in every version of Node.
    bytes.set(encoder.encode(text), starts[i]);
  });
  return { bytes, starts };
}

export function textAt({ bytes, starts }: PackedText, index: number): string {
  return Buffer.from(bytes.subarray(starts[index], starts[index + 1])).toString('utf8');
}
