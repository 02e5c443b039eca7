/**
 * A few worker threads that answer jobs. Results come back as promises in whatever order the caller awaits them. The
 * threads keep the process alive only while they have work, and any failure, theirs or in a job, ends the whole pool
 * with one error: half a pool would silently be a slow pool.
 */
import { Worker } from 'node:worker_threads';
import { DataError } from '../base/errors.js';

/** Sent to a worker. */
export interface JobMessage<Job> {
  readonly id: number;
  readonly job: Job;
}

/** Sent back by a worker: a result, or why there is none. */
export type ReplyMessage<Result> =
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

export class WorkerPool<Job, Result> {
  readonly #threads: Thread[] = [];
  readonly #pending = new Map<number, Pending<Result>>();
  readonly #name: string;
  #nextId = 0;
  #failure: DataError | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param name of the pool, for messages.
   * @param url compiled module that each thread runs; it answers `JobMessage`s with `ReplyMessage`s.
   * @param workerData handed to each thread once; shared memory in it is not copied.
   */
  constructor(name: string, url: URL, workerData: unknown, count: number) {
    this.#name = name;
    for (let i = 0; i < count; i++) {
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
   * @throws {DataError} (as a rejection) if the pool failed, fails meanwhile, or is closed.
   */
  run(job: Job): Promise<Result> {
    if (this.#failure) return Promise.reject(this.#failure);
    const thread = this.#threads.reduce((least, other) => (other.jobs < least.jobs ? other : least));
    const id = this.#nextId++;
    return new Promise<Result>((resolve, reject) => {
      this.#pending.set(id, { thread, resolve, reject });
      if (thread.jobs++ === 0) thread.worker.ref();
      thread.worker.postMessage({ id, job } satisfies JobMessage<Job>);
    });
  }

  /** Ends the threads; jobs under way are rejected. May be called again. */
  close(): Promise<void> {
    this.#failure ??= new DataError(`${this.#name}: closed while in use`);
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
    this.#failure = new DataError(message.split('\n')[0]);
    this.#closing ??= this.#end(this.#failure);
  }

  async #end(reason: DataError): Promise<void> {
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}
