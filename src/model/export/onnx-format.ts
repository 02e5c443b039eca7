/** ONNX as an export format: one file that is a program, so that it is checked by running it. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeAtomically } from '../../base/atomic-write.js';
import type { ExportFormat } from './format.js';
import { checkOnnxSize, onnxModelParts } from './onnx.js';
import { checkOnnxFile } from './onnx-check.js';

const MODEL_FILE = 'model.onnx';

export const onnxFormat: ExportFormat = {
  plan(spec, source) {
    checkOnnxSize(spec, source);
    const warnings =
      spec.preprocess === undefined
        ? [`${source} does not say how its images are normalised: the metadata of ${MODEL_FILE} has no mean and std`]
        : [];
    return { files: [MODEL_FILE], clashes: [], spec, warnings };
  },

  async write(dir, model, _plan, { softmax = false }) {
    const parts = onnxModelParts(model, { softmax });
    await writeAtomically(join(dir, MODEL_FILE), async (sink) => {
      for (const part of parts) await sink.write(part);
    });
  },

  verify(dir, model, _plan, { softmax = false }) {
    return checkOnnxFile(join(dir, MODEL_FILE), model, { softmax, threads: availableParallelism() });
  },
};
