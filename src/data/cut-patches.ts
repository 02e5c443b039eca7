/** The kernel that cuts RGB images into patches (patches.wat), and the memory that it works on. */
import { readFileSync } from 'node:fs';

type Cut = (from: number, step: number, width: number, patch: number, table: number, out: number) => void;

const PAGE = 65_536;
/** Bytes of the table `[3, 256]`, which lies in front. */
const TABLE_BYTES = 3 * 256 * 4;

let opened: { readonly memory: WebAssembly.Memory; readonly cut: Cut } | undefined;

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
  const { memory, cut } = open(out + columns * values * 4);
  new Float32Array(memory.buffer, 0, table.length).set(table);
  new Uint8Array(memory.buffer).set(pixels, image);
  const patches = Array.from(
    { length: columns },
    (_, x) => new Float32Array(memory.buffer, out + x * values * 4, values),
  );
  const first = image + (flip ? (width - 1) * 3 : 0);
  for (let y = 0; y < height; y += patch) {
    cut(first + y * width * 3, flip ? -3 : 3, width, patch, 0, out);
    for (let x = 0; x < columns; x++) write(patches[x], (y / patch) * columns + x);
  }
}

function open(bytes: number) {
  if (!opened) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE });
    const module = new WebAssembly.Module(readFileSync(new URL('./patches.wasm', import.meta.url)));
    const { cut } = new WebAssembly.Instance(module, { host: { memory } }).exports as { cut: Cut };
    opened = { memory, cut };
  }
  const missing = bytes - opened.memory.buffer.byteLength;
  if (missing > 0) opened.memory.grow(Math.ceil(missing / PAGE));
  return opened;
}
