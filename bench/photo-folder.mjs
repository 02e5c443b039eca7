// A folder of JPEG files that are as hard to decode as photographs, the same on every machine: pieces of scenes whose
// details fall off with their frequency as those of photographs do, with objects that have edges.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { createRng } from '#wave/base/rng.js';

const SCENES = 8;
/** Scenes are larger than the images cut out of them. */
const SCENE_SCALE = 3;
const QUALITY = 90;
const CLASSES = 10;
/** Cells along the width of a scene, from coarse to fine; each octave has `FALL_OFF` of the contrast before. */
const COARSEST = 3;
const OCTAVES = 10;
const FALL_OFF = 0.79;
const CONTRAST = 80;
const OBJECTS = 60;

/**
 * @param {string} folder made with one folder for each of ten classes
 * @param {{ images: number, width?: number, height?: number }} options
 * @returns {Promise<number>} mean bytes of a file
 */
export async function makePhotoFolder(folder, { images, width = 500, height = 375 }) {
  const size = { width: width * SCENE_SCALE, height: height * SCENE_SCALE };
  const scenes = [];
  for (let i = 0; i < SCENES; i++) scenes.push(await makeScene(size, createRng(0, 'scene', i)));
  for (let c = 0; c < CLASSES; c++) mkdirSync(join(folder, `class-${c}`), { recursive: true });
  let bytes = 0;
  for (let i = 0; i < images; i++) {
    const rng = createRng(0, 'photo', i);
    const [left, top] = [rng.int(size.width - width + 1), rng.int(size.height - height + 1)];
    const piece = sharp(scenes[i % SCENES], { raw: { ...size, channels: 3 } })
      .extract({ left, top, width, height })
      .linear(0.7 + 0.6 * rng.uniform(), 40 * rng.uniform() - 20);
    const file = await piece.jpeg({ quality: QUALITY }).toBuffer();
    writeFileSync(join(folder, `class-${i % CLASSES}`, `${String(i).padStart(6, '0')}.jpg`), file);
    bytes += file.length;
  }
  return bytes / images;
}

/** `[height, width, 3]` */
async function makeScene({ width, height }, rng) {
  const light = new Float32Array(width * height).fill(128);
  const tints = [new Float32Array(width * height), new Float32Array(width * height)];
  for (let octave = 0, contrast = CONTRAST; octave < OCTAVES; octave++, contrast *= FALL_OFF) {
    const cells = COARSEST * 2 ** octave;
    await addNoise(light, { width, height, cells, contrast, rng });
    // Colours vary less than light, and hardly in fine detail.
    if (octave < 5)
      for (const tint of tints) await addNoise(tint, { width, height, cells, contrast: contrast / 3, rng });
  }
  for (let i = 0; i < OBJECTS; i++) addObject(light, tints, { width, height, rng });
  const pixels = new Uint8ClampedArray(width * height * 3);
  for (let i = 0; i < light.length; i++) {
    pixels[3 * i] = light[i] + tints[0][i];
    pixels[3 * i + 1] = light[i] - 0.4 * tints[0][i] - 0.3 * tints[1][i];
    pixels[3 * i + 2] = light[i] + tints[1][i];
  }
  return Buffer.from(pixels.buffer);
}

/** Adds a smooth random field with `cells` values along the width. */
async function addNoise(values, { width, height, cells, contrast, rng }) {
  const [wide, tall] = [Math.min(cells, width), Math.min(Math.ceil((cells * height) / width), height)];
  const grid = Buffer.from(Uint8Array.from({ length: wide * tall }, () => rng.uint32() >>> 24));
  const field = await sharp(grid, { raw: { width: wide, height: tall, channels: 1 } })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .extractChannel(0)
    .raw()
    .toBuffer();
  for (let i = 0; i < values.length; i++) values[i] += ((field[i] - 128) / 128) * contrast;
}

/** Shades an ellipse. */
function addObject(light, [red, blue], { width, height, rng }) {
  const [x0, y0] = [rng.int(width), rng.int(height)];
  const [a, b] = [0.01 + 0.1 * rng.uniform(), 0.01 + 0.1 * rng.uniform()].map((share) => share * width);
  const [shade, warm, cold] = [120, 40, 40].map((most) => most * (2 * rng.uniform() - 1));
  for (let y = Math.max(0, Math.ceil(y0 - b)); y < Math.min(height, y0 + b); y++) {
    const reach = a * Math.sqrt(1 - ((y - y0) / b) ** 2);
    for (let x = Math.max(0, Math.ceil(x0 - reach)); x < Math.min(width, x0 + reach); x++) {
      light[y * width + x] += shade;
      red[y * width + x] += warm;
      blue[y * width + x] += cold;
    }
  }
}
