/** A loader's thread: makes batches on demand and hands their memory over without a copy. */
import { parentPort, workerData } from 'node:worker_threads';
import { answerJobs } from '../base/worker-pool.js';
import { type AssemblyJob, type AssemblySpec, assemble } from './assemble.js';

const spec = workerData as AssemblySpec;

answerJobs(parentPort, (job: AssemblyJob) => {
  const result = assemble(spec, job);
  return { result, transfer: [result.buffer] };
});
