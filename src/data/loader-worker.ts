/** A loader's thread: makes batches on demand and hands their memory over without a copy. */
import { parentPort, workerData } from 'node:worker_threads';
import { type AssemblyJob, type AssemblySpec, assemble } from './assemble.js';
import type { JobMessage, ReplyMessage } from './worker-pool.js';

const spec = workerData as AssemblySpec;

parentPort?.on('message', ({ id, job }: JobMessage<AssemblyJob>) => {
  try {
    const result = assemble(spec, job);
    parentPort?.postMessage({ id, result } satisfies ReplyMessage<Float32Array>, [result.buffer]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parentPort?.postMessage({ id, error: message } satisfies ReplyMessage<Float32Array>);
  }
});
