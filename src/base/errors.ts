/**
 * The suite's errors. Every error a user can cause is a `WaveError`: one line that says where, which rule, what was
 * found and what to do. Anything else that is thrown is a bug in the suite.
 */

/** Exit codes of the command line: 1 the work failed, 2 wrong usage or configuration, 3 a check did not hold. */
export type ExitCode = 1 | 2 | 3;

/** Base of all errors that a user can cause and act upon. */
export class WaveError extends Error {
  /** Process exit code that the command line uses for this error. */
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = 1, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.exitCode = exitCode;
  }
}

/** Wrong command-line usage or configuration (exit code 2). The message may hold several lines, one per problem. */
export class ConfigError extends WaveError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 2, options);
  }
}

/** Data that cannot be read or does not fit its description. */
export class DataError extends WaveError {}

/** A model description that no ViT can have, or a checkpoint that does not hold the model it should. */
export class ModelError extends WaveError {}

/** An engine or device that cannot be had or cannot run what it was asked to. */
export class EngineError extends WaveError {}

/** Training that went wrong: a loss that is not a number, for example. */
export class TrainingError extends WaveError {}

/** A check that the user asked for did not hold (exit code 3). */
export class CheckError extends WaveError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, 3, options);
  }
}

/** A saved state that the run it is for cannot go on from; nothing was changed. The exit code is that of the cause. */
export class ResumeError extends WaveError {
  constructor(cause: WaveError) {
    super(cause.message, cause.exitCode, { cause });
  }
}

/** The user asked to stop, and what could be saved has been; the message says what and how to go on. */
export class InterruptedError extends WaveError {}
