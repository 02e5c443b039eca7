/** Which paths are those of ONNX models: told by names alone, so that it is known before anything is read. */
import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import { INDEX_FILE, MODEL_FILE } from './model-file.js';

/** Name of the model in a folder of an ONNX model, as `wave export` and other tools write it. */
const ONNX_FILE = 'model.onnx';

export function isOnnxPath(path: string): boolean {
  return extname(path).toLowerCase() === '.onnx';
}

/**
 * The ONNX model that a path stands for: its own name, or that of a folder that holds `model.onnx` and no weights of a ViT;
 * undefined for all else.
 */
export function onnxModelAt(path: string): string | undefined {
  if (isOnnxPath(path)) return path;
  const inside = join(path, ONNX_FILE);
  const others = [MODEL_FILE, INDEX_FILE].map((name) => join(path, name));
  return existsSync(inside) && !others.some((other) => existsSync(other)) ? inside : undefined;
}
