/** The list of export formats. It holds the summaries, so that help and errors load none of the formats themselves. */
import { ConfigError } from '../../base/errors.js';
import type { FormatEntry } from './format.js';

/** All formats, in the order of the help. */
export const FORMATS: readonly FormatEntry[] = [
  {
    name: 'timm',
    summary: "a folder for timm.create_model('local-dir:DIR', pretrained=True), which transformers opens too",
    load: async () => (await import('./timm.js')).timmFormat,
  },
  {
    name: 'hf',
    summary: 'a folder for from_pretrained of transformers, as ViT or DeiT; models that read their class token',
    load: async () => (await import('./huggingface.js')).huggingFaceFormat,
  },
  {
    name: 'onnx',
    summary: 'model.onnx for onnxruntime and others: pixels in, logits out, any batch; every model up to 2 GB',
    softmax: true,
    load: async () => (await import('./onnx-format.js')).onnxFormat,
  },
];

/** @throws ConfigError when there is no such format. */
export function findFormat(name: string): FormatEntry {
  const entry = FORMATS.find((format) => format.name === name);
  if (entry) return entry;
  throw new ConfigError(`format must be one of ${FORMATS.map((format) => format.name).join(', ')}; found ${name}`);
}
