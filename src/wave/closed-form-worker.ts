/** The thread of a closed form. */
import { parentPort } from 'node:worker_threads';
import { answerJobs, memoryOf } from '../base/worker-pool.js';
import type { ClosedFormJob } from './closed-form-thread.js';
import { closedFormFor } from './decompose.js';

answerJobs(parentPort, ({ auxiliary, ancestor, weights, layout, seed }: ClosedFormJob) => {
  const result = closedFormFor(auxiliary, ancestor, weights, layout, seed);
  return { result, transfer: memoryOf(result.values.values()) };
});
