/** Which paths are those of ONNX models: told by the name alone, so that it is known before anything is read. */
import { extname } from 'node:path';

export function isOnnxPath(path: string): boolean {
  return extname(path).toLowerCase() === '.onnx';
}
