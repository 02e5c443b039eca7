/** A thread that measures images. */
import { parentPort, workerData } from 'node:worker_threads';
import { answerJobs } from '../base/worker-pool.js';
import { type MeasureJob, Measurer, type MeasureSpec } from './measure.js';

const measurer = new Measurer(workerData as MeasureSpec);

answerJobs(parentPort, async (job: MeasureJob) => ({ result: await measurer.measure(job), transfer: [] }));
