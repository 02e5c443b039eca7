/** A loader's thread: makes batches on demand and hands their memory over without a copy. */
import { parentPort, workerData } from 'node:worker_threads';
import { answerJobs } from '../base/worker-pool.js';
import { Assembler, type AssemblyJob, type AssemblySpec } from './assemble.js';

const assembler = new Assembler(workerData as AssemblySpec);

answerJobs(parentPort, async (job: AssemblyJob) => {
  const result = await assembler.make(job);
  return { result, transfer: [result.patches.buffer] };
});
