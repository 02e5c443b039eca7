/** The kernel that cuts RGB images into patches (patches.wat), and the memory that it works on. */
import { KernelMemory } from '../base/kernel-memory.js';

type Cut = (from: number, step: number, width: number, patch: number, table: number, out: number) => void;

/** Bytes of the table `[3, 256]`, which lies in front. */
const TABLE_BYTES = 3 * 256 * 4;

const memory = new KernelMemory<{ readonly cut: Cut }>(new URL('./patches.wasm', import.meta.url));

/**
 * Cuts an image into patches, mirrored and normalised on the way.
 *
 * @param pixels `[height, width, 3]`
 * @param table `[3, 256]`
 * @param write takes each patch, `[3, patch, patch]`, row by row; its memory is valid during the call
 */
export function cutPatches(
  pixels: Uint8Array,
  { width, height, patch }: { readonly width: number; readonly height: number; readonly patch: number },
  flip: boolean,
  table: Float32Array,
  write: (patch: Float32Array, index: number) => void,
): void {
  const image = TABLE_BYTES;
  const out = (image + pixels.length + 15) & ~15;
  const [columns, values] = [width / patch, 3 * patch * patch];
  const { kernels, buffer } = memory.open(out + columns * values * 4);
  new Float32Array(buffer, 0, table.length).set(table);
  new Uint8Array(buffer).set(pixels, image);
  const patches = Array.from({ length: columns }, (_, x) => new Float32Array(buffer, out + x * values * 4, values));
  const first = image + (flip ? (width - 1) * 3 : 0);
  for (let y = 0; y < height; y += patch) {
    kernels.cut(first + y * width * 3, flip ? -3 : 3, width, patch, 0, out);
    for (let x = 0; x < columns; x++) write(patches[x], (y / patch) * columns + x);
  }
}
