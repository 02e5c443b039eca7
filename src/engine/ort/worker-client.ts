/** The main thread's side of the engine's worker: requests out, replies in, in order. */
import { Worker } from 'node:worker_threads';
import { EngineError } from '../../base/errors.js';
import { forbidTelemetry } from '../ort-environment.js';
import { ortMessage } from '../ort-message.js';
import type { Method, ReplyMessage, RequestMessage, Requests } from './worker-protocol.js';

interface Waiting {
  readonly resolve: (reply: Requests[Method]['reply']) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Room for short-lived objects in the worker, MB. Batches live outside of it; the default grows to many times this
 * without need, and with it the process.
 */
const YOUNG_GENERATION_MB = 4;

export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #closed: Error | undefined;

  constructor() {
    forbidTelemetry();
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      // Not the flags of this process: some, like --input-type, no worker can be started with.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#worker.on('message', (message: ReplyMessage) => this.#settle(message));
    this.#worker.on('error', (error) => this.#fail(new EngineError(`engine ort stopped: ${error.message}`)));
    this.#worker.on('exit', (code) => this.#fail(new EngineError(`engine ort's thread ended with code ${code}`)));
    // An idle engine must not keep the process alive; a pending request does.
    this.#worker.unref();
  }

  /** Sends a request. Buffers in `transfer` move to the worker and are gone here. */
  call<M extends Method>(
    method: M,
    request: Requests[M]['request'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Requests[M]['reply']> {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    const message: RequestMessage<M> = { id, method, request };
    return new Promise((resolve, reject) => {
      // First, because it throws for buffers that cannot move, and then there is no reply to wait for.
      this.#worker.postMessage(message, transfer);
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker.ref();
    });
  }

  async close(): Promise<void> {
    this.#closed = new EngineError('internal: the engine was disposed of');
    await this.#worker.terminate();
  }

  #settle(message: ReplyMessage): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('reply' in message) waiting?.resolve(message.reply);
    else waiting?.reject(new EngineError(`engine ort: ${ortMessage(message.error)}`, 1, { cause: message.stack }));
  }

  #fail(error: Error): void {
    this.#closed ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#closed);
    this.#waiting.clear();
  }
}
