/**
 * SIGINT and SIGTERM. The first one asks a running stage to save and stop; without a stage, or the second time, the
 * process ends at once.
 */

/** Exit code by signal: 128 + its number, as shells report it. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** The signals that are listened to. */
export type InterruptingSignal = keyof typeof EXIT_CODES;

/** State of the interruption of one run. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #exit: (code: number) => void;
  #stage: { readonly onStop: () => void } | undefined;
  #exitCode: number | undefined;

  /** `exit` ends the process. */
  constructor(exit: (code: number) => void) {
    this.#exit = exit;
  }

  /** 130 or 143 once a signal has come, `undefined` before. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** From now on the first signal aborts the returned signal, and calls `onStop`, instead of ending the process. */
  guardStage(onStop: () => void): AbortSignal {
    this.#stage = { onStop };
    return this.#controller.signal;
  }

  /** To be called when a signal arrives. */
  receive(signal: InterruptingSignal): void {
    const again = this.#exitCode !== undefined;
    this.#exitCode ??= EXIT_CODES[signal];
    if (again || this.#stage === undefined) {
      this.#exit(this.#exitCode);
      return;
    }
    this.#stage.onStop();
    this.#controller.abort();
  }

  /** Listens to the signals of the process until the returned function is called. */
  listen(): () => void {
    const listeners = (Object.keys(EXIT_CODES) as InterruptingSignal[]).map((signal) => {
      const listener = () => this.receive(signal);
      process.on(signal, listener);
      return () => process.off(signal, listener);
    });
    return () => {
      for (const stop of listeners) stop();
    };
  }
}
