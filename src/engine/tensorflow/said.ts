/** What TensorFlow's operators say when they fail, as one line. */
import { EngineError } from '../../base/errors.js';

/** How the binding puts it: a number of TensorFlow's list of codes, and the operator's own words. */
const STATUS = /^Invalid TF_Status: (\d+)\s+Message: (.*)/;
/** RESOURCE_EXHAUSTED: memory. */
const EXHAUSTED = '8';

/** An error of an operator as the suite's own; every other one as it is. */
export function readable(error: unknown): unknown {
  const found = error instanceof Error ? STATUS.exec(error.message) : null;
  if (!found) return error;
  const [, status, words] = found;
  const advice = status === EXHAUSTED ? ': out of memory, take smaller batches or a smaller model' : '';
  return new EngineError(`engine tensorflow: ${words}${advice}`, 1, { cause: error });
}
