/** The outside world of a run. Tests replace every part of it. */

/** A stream to print to; `columns` and `isTTY` only exist on terminals. */
export interface OutputStream extends NodeJS.WritableStream {
  readonly columns?: number;
  readonly isTTY?: boolean;
}

/** Streams, environment and clock of a run. */
export interface Io {
  /** Results. */
  readonly stdout: OutputStream;
  /** Progress and errors. */
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since some fixed moment. */
  readonly now: () => number;
}
