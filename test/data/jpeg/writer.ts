/**
 * Writes JPEG files that no encoder writes: coefficients, codes and tables are drawn at random. What they show is noise,
 * but every file is valid.
 */
import type { Draw } from './support.js';

/** What is drawn, and from what. */
export interface Drawing {
  readonly draw: Draw;
  readonly height: number;
  readonly width: number;
  /** Blocks of brightness in a unit, across and down; absent: grey. */
  readonly sampling?: readonly [number, number];
  /** Units between restarts; 0: none. */
  readonly interval: number;
  /** Most bits of a coefficient. */
  readonly bits: number;
  /** Largest factor of a coefficient. */
  readonly factor: number;
  /** Shortest code. */
  readonly shortest: number;
}

const END_OF_BLOCK = 0;
const SIXTEEN_ZEROS = 0xf0;
const LONGEST = 16;

interface Code {
  /** `[length, bits]` of each symbol. */
  readonly of: ReadonlyMap<number, readonly [number, number]>;
  /** As it stands in the file. */
  readonly table: readonly number[];
}

export function drawnJpeg(drawing: Drawing): Buffer {
  const { draw, height, width, sampling, interval, factor } = drawing;
  const [across, down] = sampling ?? [1, 1];
  const planes = sampling ? [across * down, 1, 1] : [1];
  const dc = codeFor(
    drawing,
    Array.from({ length: Math.min(drawing.bits, 11) + 1 }, (_, size) => size),
  );
  const ac = codeFor(drawing, acSymbols(drawing.bits));
  const units = Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down));
  const frame = [8, height >> 8, height & 255, width >> 8, width & 255, planes.length];
  const scan = [planes.length];
  planes.forEach((_, i) => {
    frame.push(i + 1, i === 0 ? across * 16 + down : 0x11, 0);
    scan.push(i + 1, 0x00);
  });
  const quant = Array.from({ length: 64 }, () => 1 + draw(factor));
  return Buffer.from([
    0xff,
    0xd8,
    ...segment(0xdb, [0, ...quant]),
    ...segment(0xc0, frame),
    ...segment(0xc4, [0x00, ...dc.table, 0x10, ...ac.table]),
    ...(interval > 0 ? segment(0xdd, [interval >> 8, interval & 255]) : []),
    ...segment(0xda, [...scan, 0, 63, 0]),
    ...coded(drawing, units, { planes, dc, ac }),
    0xff,
    0xd9,
  ]);
}

function segment(marker: number, body: readonly number[]): number[] {
  return [0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body];
}

function acSymbols(bits: number): number[] {
  const sizes = Array.from({ length: Math.min(bits, 10) }, (_, i) => i + 1);
  return [
    END_OF_BLOCK,
    SIXTEEN_ZEROS,
    ...Array.from({ length: 16 }, (_, run) => sizes.map((s) => run * 16 + s)).flat(),
  ];
}

/** A code with drawn lengths; as libjpeg wants it, it is none of all ones. */
function codeFor({ draw, shortest }: Drawing, symbols: readonly number[]): Code {
  const shuffled = [...symbols];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const other = draw(i + 1);
    [shuffled[i], shuffled[other]] = [shuffled[other], shuffled[i]];
  }
  // Of all numbers of 16 bits, those that are left.
  let left = 2 ** LONGEST - 1;
  const lengths = shuffled.map((_, i) => {
    const most = Math.floor(Math.log2(left - (shuffled.length - i - 1)));
    const share = draw(Math.min(most, LONGEST - shortest) + 1);
    left -= 2 ** share;
    return LONGEST - share;
  });
  lengths.sort((a, b) => a - b);
  const counts = new Array<number>(LONGEST).fill(0);
  const of = new Map<number, readonly [number, number]>();
  let code = 0;
  lengths.forEach((length, i) => {
    if (i > 0) code = (code + 1) * 2 ** (length - lengths[i - 1]);
    counts[length - 1]++;
    of.set(shuffled[i], [length, code]);
  });
  return { of, table: [...counts, ...shuffled] };
}

interface Codes {
  /** Blocks of a unit, for each plane. */
  readonly planes: readonly number[];
  readonly dc: Code;
  readonly ac: Code;
}

/** The bytes of all units, each with drawn coefficients. */
function coded({ draw, interval, bits }: Drawing, units: number, { planes, dc, ac }: Codes): number[] {
  const out: number[] = [];
  let [held, count] = [0, 0];
  const put = (length: number, value: number) => {
    for (let i = length - 1; i >= 0; i--) {
      held = held * 2 + ((value >> i) & 1);
      if (++count < 8) continue;
      out.push(held);
      if (held === 0xff) out.push(0);
      [held, count] = [0, 0];
    }
  };
  const flush = () => {
    while (count > 0) put(1, 1);
  };
  const symbol = ({ of }: Code, one: number) => put(...(of.get(one) as readonly [number, number]));
  const block = () => {
    const size = draw(Math.min(bits, 11) + 1);
    symbol(dc, size);
    put(size, draw(2 ** size));
    for (let k = 1; k < 64; ) {
      const [kind, run, length] = [draw(12), draw(4) === 0 ? draw(16) : draw(2), 1 + draw(Math.min(bits, 10))];
      if (kind === 0 || k + run > 63) return symbol(ac, END_OF_BLOCK);
      if (kind === 1 && k + 16 <= 63) {
        symbol(ac, SIXTEEN_ZEROS);
        k += 16;
        continue;
      }
      symbol(ac, run * 16 + length);
      put(length, draw(2 ** length));
      k += run + 1;
    }
  };
  for (let unit = 0; unit < units; unit++) {
    if (interval > 0 && unit > 0 && unit % interval === 0) {
      flush();
      out.push(0xff, 0xd0 + ((unit / interval - 1) % 8));
    }
    for (const blocks of planes) for (let i = 0; i < blocks; i++) block();
  }
  flush();
  return out;
}
