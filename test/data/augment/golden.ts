/** What Pillow made of a small picture: scripts/fixtures/make-augment-fixtures.py. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { OpName } from '#wave/data/augment/ops.js';
import type { WarpFilter } from '#wave/data/augment/warp.js';
import type { Picture } from '#wave/data/picture.js';

interface Case {
  readonly grey: boolean;
  readonly op?: OpName;
  readonly argument?: number;
  readonly filter?: WarpFilter;
  readonly factors?: readonly number[];
  readonly order?: readonly number[];
}

interface Golden {
  readonly height: number;
  readonly width: number;
  readonly fill: readonly number[];
  readonly sets: { readonly plain: readonly OpName[]; readonly increasing: readonly OpName[] };
  readonly cases: readonly Case[];
  readonly levels: readonly { readonly op: OpName; readonly level: number; readonly arguments: readonly number[] }[];
}

const folder = new URL('../fixtures/', import.meta.url);
export const golden: Golden = JSON.parse(readFileSync(new URL('augment.json', folder), 'utf8'));
const bytes = gunzipSync(readFileSync(new URL('augment.bin.gz', folder)));

let at = 0;
function next(channels: number): Picture {
  const { height, width } = golden;
  const data = new Uint8Array(bytes.subarray(at, at + height * width * channels));
  at += data.length;
  return { data, height, width, channels };
}

const colour = next(3);
const grey = next(1);

/** The original in colour, to be changed. */
export const colourPicture = (): Picture => ({ ...colour, data: colour.data.slice() });
/** The original in grey, to be changed. */
export const greyPicture = (): Picture => ({ ...grey, data: grey.data.slice() });

/** Each case with what Pillow made of it. */
export const results = golden.cases.map((one) => ({ ...one, expected: next(one.grey ? 1 : 3) }));

/** Largest difference of two pictures, and the share of values that differ at all. */
export function compare(found: Picture, expected: Picture): { readonly most: number; readonly share: number } {
  let [most, differing] = [0, 0];
  for (let i = 0; i < expected.data.length; i++) {
    const difference = Math.abs(found.data[i] - expected.data[i]);
    most = Math.max(most, difference);
    if (difference > 0) differing++;
  }
  return { most, share: differing / expected.data.length };
}
