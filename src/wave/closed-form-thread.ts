/** The closed form in a thread of its own: half a minute for a base model, in which progress and signals go on. */
import { InterruptedError, WaveError } from '../base/errors.js';
import { memoryOf, WorkerPool } from '../base/worker-pool.js';
import type { ModelSpec } from '../model/spec.js';
import type { TemplateLayout } from './bank.js';
import { type ClosedForm, checkClosedForm } from './decompose.js';
import type { NamedValues } from './inherit-host.js';

/** Arguments of `closedFormFor`. */
export interface ClosedFormJob {
  readonly auxiliary: ModelSpec;
  readonly ancestor: ModelSpec;
  /** The ancestor's parameters by timm name. */
  readonly weights: NamedValues;
  readonly layout: TemplateLayout;
  readonly seed: number;
}

/**
 * What `closedFormFor` gives. The weights move to the thread: their arrays are empty afterwards.
 *
 * @throws ModelError as `closedFormFor`; InterruptedError when the signal is aborted.
 */
export async function closedFormInThread(job: ClosedFormJob, signal: AbortSignal): Promise<ClosedForm> {
  checkClosedForm(job.auxiliary, job.ancestor, job.weights, job.layout);
  const pool = new WorkerPool<ClosedFormJob, ClosedForm>({
    name: 'closed-form start',
    url: new URL('./closed-form-worker.js', import.meta.url),
    threads: 1,
    failure: (message) => new WaveError(message),
  });
  const stop = () => void pool.close();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) stop();
    return await pool.run(job, memoryOf(job.weights.values()));
  } catch (error) {
    throw signal.aborted ? new InterruptedError('stopped before the first step; nothing was written') : error;
  } finally {
    signal.removeEventListener('abort', stop);
    await pool.close();
  }
}
