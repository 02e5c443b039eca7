/** Huffman codes as the kernel looks them up; entropy.wat says what an entry is. */
import type { HuffmanCode } from './header.js';

/** Bytes of a table. */
export const TABLE_BYTES = 5264;

/** Bits of a code, and of its value, that are looked up at once. */
const AT_ONCE = 10;
const LONGEST = 16;
/** Places in a table, in words. */
const LIMITS = 1024;
const SHIFTS = 1040;
const LONG = 1060;
/** How far the end of a block moves the position in it. */
const TO_END = 100;
/** More bits than a difference of DC values of 8-bit images can have. */
const MOST_DC_BITS = 11;

/**
 * Fills a table.
 *
 * @param table `[TABLE_BYTES / 4]`
 * @returns false if this is no code, or none of a baseline file
 */
export function fillCodeTable(table: Int32Array, { counts, symbols }: HuffmanCode, kind: 'dc' | 'ac'): boolean {
  table.fill(0, 0, LONG);
  let code = 0;
  let next = 0;
  for (let length = 1; length <= LONGEST; length++, code <<= 1) {
    const count = counts[length - 1];
    // As in libjpeg, no code is all ones.
    if (code + count >= 1 << length) return false;
    table[SHIFTS + length] = next - code;
    for (const end = next + count; next < end; next++, code++) {
      if (kind === 'dc' && symbols[next] > MOST_DC_BITS) return false;
      const entry = kind === 'dc' ? dcEntry(length, symbols[next]) : acEntry(length, symbols[next]);
      table[LONG + next] = entry;
      if (length <= AT_ONCE) fillShort(table, code << (AT_ONCE - length), length, entry, kind);
    }
    table[LIMITS + length] = code << (LONGEST - length);
  }
  return true;
}

function dcEntry(length: number, bits: number): number {
  return (length + bits) | (bits << 5) | (bits === 0 ? 1 << 9 : 0);
}

function acEntry(length: number, symbol: number): number {
  const [run, bits] = [symbol >> 4, symbol & 15];
  const moves = bits > 0 ? run + 1 : run === 15 ? 16 : TO_END;
  return (length + bits) | (bits << 5) | (moves << 9);
}

/** All entries that begin with a short code, with the value where its bits are among those looked up. */
function fillShort(table: Int32Array, first: number, length: number, entry: number, kind: 'dc' | 'ac'): void {
  const bits = (entry >> 5) & 15;
  const rest = AT_ONCE - length - bits;
  if (bits === 0 || rest < 0) {
    table.fill(entry, first, first + (1 << (AT_ONCE - length)));
    return;
  }
  const whole = kind === 'dc' ? entry | (1 << 9) : entry;
  for (let i = 0; i < 1 << bits; i++) {
    // The smaller half stands for negative numbers.
    const value = i < 1 << (bits - 1) ? i + 1 - (1 << bits) : i;
    table.fill(whole | (value << 16), first + (i << rest), first + ((i + 1) << rest));
  }
}
