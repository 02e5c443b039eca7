/**
 * Keeps the end of the engine's thread out of native code. A thread that is ended while onnxruntime loads, opens a model
 * or runs one comes back to a JavaScript that is gone, and onnxruntime's binding then aborts the whole process. So the
 * thread says when it is busy, and whoever ends it closes the gate and waits until it is not.
 */

/** Places in the shared memory: the thread is in native code, or may be; nothing may begin any more. */
const [BUSY, CLOSED] = [0, 1];
const PLACES = 2;
/** How long the end of a process waits at most for a run to come back, ms: longer than any one step takes. */
const MOST_PATIENCE_MS = 120_000;

/** The thread's side. */
export class NativeGate {
  readonly #flags: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#flags = new Int32Array(memory);
  }

  /** Whether work may begin; `leave` follows if so. */
  enter(): boolean {
    Atomics.store(this.#flags, BUSY, 1);
    if (Atomics.load(this.#flags, CLOSED) === 0) return true;
    this.leave();
    return false;
  }

  leave(): void {
    Atomics.store(this.#flags, BUSY, 0);
    Atomics.notify(this.#flags, BUSY);
  }
}

/** Gates of threads that run. */
const open = new Set<GateKeeper>();

/** The side of whoever ends the thread. While it is kept, the end of this process waits for the thread, too. */
export class GateKeeper {
  readonly memory = new SharedArrayBuffer(PLACES * Int32Array.BYTES_PER_ELEMENT);
  readonly #flags = new Int32Array(this.memory);

  constructor() {
    // Loading onnxruntime is native work as well; the thread leaves once it is done.
    this.#flags[BUSY] = 1;
    if (open.size === 0) process.on('exit', waitForAll);
    open.add(this);
  }

  /** From now on the thread begins nothing. */
  close(): void {
    Atomics.store(this.#flags, CLOSED, 1);
  }

  /** Blocks until the thread is out of native code. */
  wait(): void {
    Atomics.wait(this.#flags, BUSY, 1, MOST_PATIENCE_MS);
  }

  /** To be called when the thread has ended. */
  forget(): void {
    if (open.delete(this) && open.size === 0) process.off('exit', waitForAll);
  }
}

function waitForAll(): void {
  for (const gate of open) gate.close();
  for (const gate of open) gate.wait();
}
