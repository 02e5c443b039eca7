/** The main thread's side of the engine's worker: requests out, replies in, in order. */
import { Worker } from 'node:worker_threads';
import { EngineError } from '../../base/errors.js';
import { forbidTelemetry } from '../ort-environment.js';
import { ortMessage } from '../ort-message.js';
import { GateKeeper } from './native-gate.js';
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
  readonly #gate = new GateKeeper();
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #closed: Error | undefined;
  #ending: Promise<void> | undefined;

  constructor() {
    forbidTelemetry();
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: this.#gate.memory,
      // Not the flags of this process: some, like --input-type, no worker can be started with.
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    this.#worker.on('message', (message: ReplyMessage) => this.#settle(message));
    this.#worker.on('error', (error) => this.#fail(new EngineError(`engine ort stopped: ${error.message}`)));
    this.#worker.on('exit', (code) => {
      this.#gate.forget();
      this.#fail(new EngineError(`engine ort's thread ended with code ${code}`));
    });
    // An idle engine must not keep the process alive; a pending request does.
    this.#worker.unref();
  }

  /** Sends a request. Buffers in `transfer` move to the worker and are gone here. */
  call<M extends Method>(
    method: M,
    request: Requests[M]['request'],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Requests[M]['reply']> {
    return this.#closed ? Promise.reject(this.#closed) : this.#send(method, request, transfer);
  }

  /** Ends the thread once what it is doing natively is done. What waits is rejected. May be called again. */
  close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    this.#gate.close();
    const alive = this.#closed === undefined;
    this.#fail(new EngineError('internal: the engine was disposed of'));
    // The thread refuses whatever comes now, and its refusal means that it has nothing left to do.
    if (alive) await this.#send('disposeState', { state: 0 }, []).catch(() => undefined);
    await this.#worker.terminate();
  }

  #send<M extends Method>(
    method: M,
    request: Requests[M]['request'],
    transfer: readonly ArrayBuffer[],
  ): Promise<Requests[M]['reply']> {
    const id = this.#nextId++;
    const message: RequestMessage<M> = { id, method, request };
    return new Promise((resolve, reject) => {
      // First, because it throws for buffers that cannot move, and then there is no reply to wait for.
      this.#worker.postMessage(message, transfer);
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.#worker.ref();
    });
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
