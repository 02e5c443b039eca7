/**
 * Work on TensorFlow blocks the main thread, because programs are functions of it. So every piece of work waits for its
 * turn: in between, the event loop serves signals, progress and the data loader.
 */
import { onTensorflow } from './library.js';
import { readable } from './said.js';

/**
 * Runs `action`, which must be synchronous, on TensorFlow. Actions run in the order in which they were asked for.
 *
 * @throws EngineError what an operator says when it fails
 */
export function turn<T>(action: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(onTensorflow(action));
      } catch (error) {
        reject(readable(error));
      }
    });
  });
}
