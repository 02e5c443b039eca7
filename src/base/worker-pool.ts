/**
 * A few worker threads that answer jobs. Results come back as promises in whatever order the caller awaits them. The
 * threads keep the process alive only while they have work, and any failure, theirs or in a job, ends the whole pool
 * with one error: half a pool would silently be a slow pool.
 */
import { type MessagePort, type Transferable, Worker } from 'node:worker_threads';
import type { WaveError } from './errors.js';

/** Sent to a worker. */
interface JobMessage<Job> {
  readonly id: number;
  readonly job: Job;
}

/** Sent back by a worker: a result, or why there is none. */
type ReplyMessage<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly error: string };

interface Pending<Result> {
  readonly thread: Thread;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  /** Jobs given to it and not answered yet. */
  jobs: number;
}

/** Room for short-lived objects in a thread, MB: batches live outside of it, and the default grows without need. */
const YOUNG_GENERATION_MB = 4;

export interface WorkerPoolOptions {
  /** For messages. */
  readonly name: string;
  /** Compiled module that each thread runs; it answers jobs with `answerJobs`. */
  readonly url: URL;
  readonly threads: number;
  /** Handed to each thread once; shared memory in it is not copied. */
  readonly workerData?: unknown;
  /** The error that a failure is thrown as. */
  readonly failure: (message: string) => WaveError;
}

export class WorkerPool<Job, Result> {
  readonly #threads: Thread[] = [];
  readonly #pending = new Map<number, Pending<Result>>();
  readonly #name: string;
  readonly #makeError: (message: string) => WaveError;
  #nextId = 0;
  #failure: WaveError | undefined;
  #closing: Promise<void> | undefined;

  constructor({ name, url, threads, workerData, failure }: WorkerPoolOptions) {
    this.#name = name;
    this.#makeError = failure;
    for (let i = 0; i < threads; i++) {
      // The flags of this process are not for the threads: `--input-type` alone would keep them from starting.
      const worker = new Worker(url, {
        workerData,
        execArgv: [],
        name: `${name} ${i}`,
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      worker.on('message', (reply: ReplyMessage<Result>) => this.#receive(reply));
      // After the listener, which would undo it: an idle thread must not keep the process alive.
      worker.unref();
      worker.on('error', (error) => this.#fail(`${name} ${i} failed: ${error.message}`));
      worker.on('messageerror', (error) => this.#fail(`${name} ${i} sent what cannot be read: ${error.message}`));
      worker.on('exit', (code) => this.#fail(`${name} ${i} stopped with exit code ${code}`));
      this.#threads.push({ worker, jobs: 0 });
    }
  }

  /**
   * Gives a job to the thread with the least to do.
   *
   * @param transfer memory that moves to the thread and is gone here.
   * @throws {WaveError} (as a rejection) if the pool failed, fails meanwhile, or is closed.
   */
  run(job: Job, transfer: readonly Transferable[] = []): Promise<Result> {
    if (this.#failure) return Promise.reject(this.#failure);
    const thread = this.#threads.reduce((least, other) => (other.jobs < least.jobs ? other : least));
    const id = this.#nextId++;
    return new Promise<Result>((resolve, reject) => {
      this.#pending.set(id, { thread, resolve, reject });
      if (thread.jobs++ === 0) thread.worker.ref();
      thread.worker.postMessage({ id, job } satisfies JobMessage<Job>, transfer);
    });
  }

  /** Ends the threads; jobs under way are rejected. May be called again. */
  close(): Promise<void> {
    this.#failure ??= this.#makeError(`${this.#name}: closed while in use`);
    this.#closing ??= this.#end(this.#failure);
    return this.#closing;
  }

  #receive(reply: ReplyMessage<Result>): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if (--pending.thread.jobs === 0) pending.thread.worker.unref();
    if ('result' in reply) {
      pending.resolve(reply.result);
      return;
    }
    this.#fail(`${this.#name} failed: ${reply.error}`);
    if (this.#failure) pending.reject(this.#failure);
  }

  #fail(message: string): void {
    if (this.#failure) return;
    this.#failure = this.#makeError(message.split('\n')[0]);
    this.#closing ??= this.#end(this.#failure);
  }

  async #end(reason: WaveError): Promise<void> {
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

/** The memory of some arrays, to be moved to another thread; what is shared need not be. */
export function memoryOf(arrays: Iterable<ArrayBufferView>): ArrayBuffer[] {
  const buffers = new Set(Array.from(arrays, ({ buffer }) => buffer));
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

/** What a thread makes of a job; memory in `transfer` moves to the caller. */
export interface Answer<Result> {
  readonly result: Result;
  readonly transfer: readonly Transferable[];
}

/** The thread's side: answers every job that arrives at `port`, the thread's own. */
export function answerJobs<Job, Result>(
  port: MessagePort | null,
  answer: (job: Job) => Answer<Result> | Promise<Answer<Result>>,
): void {
  port?.on('message', async ({ id, job }: JobMessage<Job>) => {
    try {
      const { result, transfer } = await answer(job);
      port.postMessage({ id, result } satisfies ReplyMessage<Result>, transfer);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      port.postMessage({ id, error: message } satisfies ReplyMessage<Result>);
    }
  });
}
