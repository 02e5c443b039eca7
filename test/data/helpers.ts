/** Small sources and IDX files for the data tests. */
import { writeFileSync } from 'node:fs';
import {
  type Batch,
  type Dataset,
  type ImageSource,
  type Loader,
  memorySource,
  normaliseTable,
  type RasterSource,
  sampleSha256,
} from '#wave/data/index.js';

/** A source whose pixels follow from (index, channel, row, column), so that any mix-up shows. */
export function patternSource(count: number, channels = 1, height = 4, width = 6, classes = 3): RasterSource {
  const bytes = channels * height * width;
  const pixels = new Uint8Array(new SharedArrayBuffer(count * bytes));
  for (let i = 0; i < pixels.length; i++) pixels[i] = (i * 7 + Math.floor(i / bytes) * 13) % 251;
  const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
  return memorySource({ name: 'pattern', classes, channels, height, width, labels, pixels });
}

export function inMemory(source: ImageSource): RasterSource {
  if (source.kind !== 'raster') throw new Error(`${source.name} is not held in memory`);
  return source;
}

export function datasetOf(source: ImageSource, parts: Partial<Dataset> = {}): Dataset {
  const indices = parts.indices ?? Uint32Array.from({ length: source.count }, (_, i) => i);
  const channels = parts.channels ?? source.channels;
  const image = parts.image ?? sizeOf(source);
  return {
    split: 'train',
    source,
    indices,
    image,
    channels,
    table: normaliseTable([0.5], [0.25], channels),
    augment: { padCrop: 1, flip: true },
    framing: { image, resize: image, mode: 'shortest', interpolation: 'bicubic' },
    onBroken: 'fail',
    sha256: () => sampleSha256(source, indices),
    ...parts,
  };
}

function sizeOf(source: ImageSource): readonly [number, number] {
  const { height, width } = inMemory(source);
  return [height, width];
}

export async function collect(from: Loader, epoch: number, startBatch = 0): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of from.epoch(epoch, { startBatch })) batches.push(batch);
  return batches;
}

/** Everything in the batches, exactly. */
export function bytesOf(batches: readonly Batch[]): string {
  return JSON.stringify(
    batches.map(({ patches, labels, indices, size, mix, epoch, index }) => [
      Buffer.from(patches.buffer, patches.byteOffset, patches.byteLength).toString('base64'),
      [...labels],
      [...indices],
      size,
      mix ?? null,
      epoch,
      index,
    ]),
  );
}

/** The bytes of an IDX file. */
export function idxBytes(lengths: readonly number[], values: Uint8Array, type = 0x08): Buffer {
  const header = Buffer.alloc(4 + 4 * lengths.length);
  header[2] = type;
  header[3] = lengths.length;
  lengths.forEach((length, axis) => {
    header.writeUInt32BE(length, 4 + 4 * axis);
  });
  return Buffer.concat([header, values]);
}

export function writeIdx(path: string, lengths: readonly number[], values: Uint8Array): string {
  writeFileSync(path, idxBytes(lengths, values));
  return path;
}
