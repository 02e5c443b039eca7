/** What `predict` can be given: image files, folders of them, and safetensors files of prepared images. */
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { openSafetensors } from '../checkpoint/index.js';
import { decodeImage } from '../data/image-file.js';
import { normaliseTable } from '../data/index.js';
import type { ModelSpec, Preprocess } from '../model/spec.js';

/** Where an image comes from: a file, and its position in it. */
export interface ImageOrigin {
  readonly input: string;
  readonly index: number;
}

/** Some images that are computed together, normalised, `[images, channels, height, width]`. */
export interface InputPart {
  readonly origins: readonly ImageOrigin[];
  readonly values: Float32Array;
}

/** The tensor of a safetensors file that holds images. */
const INPUT_TENSOR = 'input';
const IMAGE_EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif']);

/** Images decoded side by side; each lies in memory whole before it is resized. */
const AT_A_TIME = 4;

/** One file to read. */
export interface InputFile {
  readonly path: string;
  readonly kind: 'image' | 'tensor';
}

/**
 * The files behind the inputs, in order: a folder stands for its images, sorted by name.
 *
 * @throws DataError naming an input that is not there, or a folder without images.
 */
export async function listInputs(inputs: readonly string[]): Promise<InputFile[]> {
  const files: InputFile[] = [];
  for (const path of inputs) {
    if (await isFolder(path)) {
      for (const image of await imagesIn(path)) files.push({ path: image, kind: 'image' });
    } else {
      files.push({ path, kind: extname(path).toLowerCase() === '.safetensors' ? 'tensor' : 'image' });
    }
  }
  return files;
}

/**
 * Images of all files in order, at most `batch` at a time.
 *
 * @throws DataError, CheckpointError naming the file that cannot be read or does not fit the model.
 */
export async function* readInputs(
  files: readonly InputFile[],
  spec: ModelSpec,
  preprocess: Preprocess,
  batch: number,
): AsyncGenerator<InputPart> {
  let images: string[] = [];
  for (const { path, kind } of files) {
    if (kind === 'image') images.push(path);
    if (images.length === batch || (kind === 'tensor' && images.length > 0)) {
      yield await imagePart(images, spec, preprocess);
      images = [];
    }
    if (kind === 'tensor') yield* tensorParts(path, spec, batch);
  }
  if (images.length > 0) yield await imagePart(images, spec, preprocess);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw new DataError(`${path}: ${explainIoError(error)}`);
  }
}

async function imagesIn(folder: string): Promise<string[]> {
  const names = (await namesIn(folder)).filter((name) => IMAGE_EXTENSIONS.has(extname(name).toLowerCase())).sort();
  if (names.length > 0) return names.map((name) => join(folder, name));
  throw new DataError(`${folder}: holds no images (${[...IMAGE_EXTENSIONS].join(', ')})`);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw new DataError(`${folder}: ${explainIoError(error)}`);
  }
}

/** Image files, some of them decoded side by side. */
async function imagePart(paths: readonly string[], spec: ModelSpec, preprocess: Preprocess): Promise<InputPart> {
  const [height, width] = spec.image;
  const { channels } = spec;
  const table = normaliseTable(preprocess.mean, preprocess.std, channels);
  const area = height * width;
  const values = new Float32Array(paths.length * channels * area);
  let next = 0;
  const work = async () => {
    while (next < paths.length) {
      const image = next++;
      const pixels = await decodeImage(paths[image] as string, { channels, height, width }, preprocess);
      const start = image * channels * area;
      for (let i = 0; i < pixels.length; i++) values[start + i] = table[Math.floor(i / area) * 256 + pixels[i]];
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, paths.length) }, work));
  return { origins: paths.map((input) => ({ input, index: 0 })), values };
}

async function* tensorParts(path: string, spec: ModelSpec, batch: number): AsyncGenerator<InputPart> {
  const file = await openSafetensors(path);
  try {
    const expected = [spec.channels, ...spec.image];
    const info = file.tensors.get(INPUT_TENSOR);
    if (!info) throw new DataError(`${path}: holds no tensor "${INPUT_TENSOR}" [batch, ${expected.join(', ')}]`);
    const [images = 0, ...rest] = info.shape;
    if (info.shape.length !== 4 || rest.some((size, axis) => size !== expected[axis]) || info.dtype !== 'F32') {
      throw new DataError(
        `${path}: "${INPUT_TENSOR}" must be F32 [batch, ${expected.join(', ')}] for this model, ` +
          `found ${info.dtype} [${info.shape.join(', ')}]`,
      );
    }
    for (let first = 0; first < images; first += batch) {
      const stop = Math.min(images, first + batch);
      const values = await file.readFloat32(INPUT_TENSOR, [{ start: first, stop }]);
      const origins = Array.from({ length: stop - first }, (_, i) => ({ input: path, index: first + i }));
      yield { origins, values };
    }
  } finally {
    await file.close();
  }
}
