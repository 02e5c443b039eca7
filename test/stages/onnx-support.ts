/** Classifiers in ONNX files, made by scripts/fixtures/make-onnx-fixtures.py, and how they are opened. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OnnxClassifier } from '#wave/stages/onnx-classifier.js';
import { type OnnxData, onnxSchema } from '#wave/stages/onnx-config.js';

const fixtures = fileURLToPath(new URL('fixtures/onnx/', import.meta.url));

/** Path of a fixture. */
export const onnxFixture = (...names: string[]) => join(fixtures, ...names);

/** Trained on the drawn images of `DATA` (distill-support.ts); sees them in 3x20x20. */
export const TRAINED = onnxFixture('trained.onnx');
/** What that one has to be told. */
export const TRAINED_SETTINGS = { gives: 'logits', mean: [0.25], std: [0.3] } as const;

/** Grey images of 16 x 16 in four classes. */
export const GREY: OnnxData = { channels: 1, classes: 4, image: [16, 16], mean: [0.3], std: [0.2] };

/** Opens a fixture, or the file of a path, with some settings of the `onnx:` block. */
export function openClassifier(name: string, settings: object = {}, data: OnnxData = GREY): Promise<OnnxClassifier> {
  const path = name.includes('/') ? name : onnxFixture(`${name}.onnx`);
  return OnnxClassifier.open(path, { onnx: onnxSchema.parse(settings), engine: { threads: 1 } }, data);
}
