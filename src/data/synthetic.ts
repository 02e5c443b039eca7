/** The source of drawn images (draw.ts). */
import { type Drawing, drawImage, drawnClass } from './draw.js';
import { allocatePixels, IN_MEMORY, memorySource, type RasterSource, type RecordSource } from './source.js';

/** What to draw, and how often. */
export interface SyntheticOptions extends Drawing {
  readonly count: number;
}

/**
 * Images that are drawn at once and held in memory, up to 128 MiB of them; of more, each is drawn when it is needed.
 *
 * @param inMemory bytes of images that are held in memory
 */
export function syntheticSource(
  { count, ...drawing }: SyntheticOptions,
  { inMemory = IN_MEMORY }: { readonly inMemory?: number } = {},
): RasterSource | RecordSource {
  const { image, channels, classes, split } = drawing;
  const name = `synthetic ${split} images`;
  const bytes = channels * image * image;
  const labels = Int32Array.from({ length: count }, (_, i) => drawnClass(drawing, i));
  const raw = { channels, height: image, width: image };
  if (count * bytes > inMemory) {
    const records = { kind: 'drawn', drawing, raw } as const;
    return { kind: 'records', name, count, classes, labels, channels, records, bytesOf: () => bytes };
  }
  const pixels = allocatePixels(count * bytes);
  for (let i = 0; i < count; i++) drawImage(pixels.subarray(i * bytes, (i + 1) * bytes), drawing, i);
  return memorySource({ name, classes, labels, pixels, ...raw });
}
