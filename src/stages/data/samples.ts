/** A sheet of training images as the model sees them: cut, changed and mixed, with their labels. */
import { writeFileAtomically } from '../../base/atomic-write.js';
import { ConfigError, InterruptedError } from '../../base/errors.js';
import { printable } from '../../base/text.js';
import type { DataConfig } from '../../config/index.js';
import { type Batch, type Dataset, Loader, openData, unpatchify } from '../../data/index.js';
import type { StageContext } from '../context.js';
import { checkOutFile, type OutFile } from '../out-file.js';
import { isDrawn } from './glyphs.js';
import { drawSheet, type Tile } from './sheet.js';

/** Images of a batch, which are a row of the sheet. Batches are small, so that mixing shows several of its draws. */
const BATCH = 8;
const BATCHES = 4;

/** What was drawn. */
export interface Samples {
  readonly path: string;
  readonly images: number;
}

/**
 * @throws ConfigError when a file is there and not to be replaced, or is not to be a PNG
 */
export async function checkSamples(out: OutFile): Promise<void> {
  if (!/\.png$/i.test(out.path)) throw new ConfigError(`${printable(out.path)}: the samples are a PNG; end it in .png`);
  await checkOutFile(out, []);
}

/**
 * Draws the first training images of epoch 0, in batches of 8 (or all, if there are fewer), each a row. Images that cannot be
 * read are left out as `on_broken: skip` does it.
 *
 * @throws ConfigError, DataError; WriteError; InterruptedError
 */
export async function drawSamples(
  { data, seed }: { readonly data: DataConfig; readonly seed: number },
  out: OutFile,
  context: StageContext,
): Promise<Samples> {
  await checkSamples(out);
  context.emit({ type: 'phase', text: 'drawing samples' });
  const dataset = await openData({ ...data, on_broken: 'skip' }, 'train', { seed });
  const batch = Math.min(BATCH, dataset.indices.length);
  const [height, width] = dataset.image;
  const patch = greatestCommonDivisor(height, width);
  const loader = new Loader({ dataset, mode: 'train', batch, patch, seed, workers: Math.min(1, data.workers) });
  const tiles: Tile[] = [];
  try {
    for await (const part of loader.epoch(0)) {
      if (context.signal.aborted) throw new InterruptedError('stopped; the samples were not written');
      tiles.push(...tilesOf(part, dataset, data, patch));
      if (tiles.length >= batch * BATCHES) break;
    }
  } finally {
    await loader.close();
  }
  const { pixels, height: tall, width: wide } = drawSheet(tiles, { height, width, columns: batch });
  const { default: sharp } = await import('sharp');
  const png = await sharp(pixels, { raw: { width: wide, height: tall, channels: 3 } })
    .png()
    .toBuffer();
  await writeFileAtomically(out.path, png);
  return { path: out.path, images: tiles.length };
}

function tilesOf(part: Batch, dataset: Dataset, { mean, std }: DataConfig, patch: number): Tile[] {
  const { channels, image, source } = dataset;
  const [height, width] = image;
  const size = part.labels.length;
  const images = unpatchify(part.patches, { batch: size, channels, height, width, patch });
  const area = height * width;
  const of = (values: readonly number[], c: number) => values[values.length === 1 ? 0 : c];
  // What is beyond colour, in images of other numbers of channels, is not shown.
  const shown = channels >= 3 ? [0, 1, 2] : [0, 0, 0];
  return Array.from({ length: part.size }, (_, slot) => {
    const rgb = new Uint8Array(area * 3);
    shown.forEach((c, place) => {
      const from = (slot * channels + c) * area;
      // Noise of erased pixels reaches beyond black and white.
      for (let i = 0; i < area; i++) {
        const value = Math.round((images[from + i] * of(std, c) + of(mean, c)) * 255);
        rgb[i * 3 + place] = Math.min(255, Math.max(0, value));
      }
    });
    return { rgb, label: labelsOf(part, slot, source.classNames) };
  });
}

/** Its class; of a mixed image, both classes with their shares. */
function labelsOf({ labels, mix }: Batch, slot: number, names: readonly string[] | undefined): string[] {
  const nameOf = (label: number) => {
    const name = names?.[label];
    return name !== undefined && isDrawn(name) ? name : `class ${label}`;
  };
  const other = labels.length - 1 - slot;
  const own = nameOf(labels[slot]);
  if (!mix || other === slot) return [own];
  const percent = Math.round(100 * mix.lambda);
  return [`${percent} % ${own}`, `${100 - percent} % ${nameOf(labels[other])}`];
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
