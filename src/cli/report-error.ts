/** How a failure is told: lines on stderr, with `--json` one document on stdout, and the exit code. */
import { inspect } from 'node:util';
import { WaveError } from '../base/errors.js';
import type { Io } from './io.js';

/** The `error` part of the JSON document of a failure. */
export interface ErrorDocument {
  readonly type: string;
  readonly message: string;
  readonly exitCode: number;
}

/**
 * Tells `error` and returns the exit code. `interruptedWith` is the exit code of the signal that has come, if one has:
 * whatever a stage throws after that is part of being interrupted.
 */
export function reportError(error: unknown, words: readonly string[], io: Io, interruptedWith?: number): number {
  const end = words.indexOf('--');
  const options = end < 0 ? words : words.slice(0, end);
  const document = describeError(error, interruptedWith);
  if (options.includes('--json')) io.stdout.write(`${JSON.stringify({ ok: false, error: document })}\n`);
  writeErrorLines(document, io);
  if (options.includes('--debug')) io.stderr.write(`${inspect(error)}\n`);
  return document.exitCode;
}

/** Writes `wave: error: ...`, one line per problem. */
export function writeErrorLines({ type, message }: ErrorDocument, io: Io): void {
  const label = LABELS[type] ?? 'error';
  for (const line of message.split('\n')) io.stderr.write(`wave: ${label}: ${line}\n`);
}

const LABELS: Readonly<Record<string, string>> = { InternalError: 'internal error', InterruptedError: 'interrupted' };

/** The error as data. */
export function describeError(error: unknown, interruptedWith?: number): ErrorDocument {
  const message = error instanceof Error ? error.message : String(error);
  if (interruptedWith !== undefined) {
    return { type: 'InterruptedError', message: interruptedMessage(error, message), exitCode: interruptedWith };
  }
  if (error instanceof WaveError) return { type: error.name, message, exitCode: error.exitCode };
  return { type: 'InternalError', message: internalMessage(message), exitCode: 1 };
}

/** What a stage says when it stops is for the user; that it threw the abort is not; anything else went wrong meanwhile. */
function interruptedMessage(error: unknown, message: string): string {
  if (error instanceof WaveError) return message;
  const stopped = 'stopped by a signal';
  if (error instanceof Error && error.name === 'AbortError') return stopped;
  return `${stopped}, and failed meanwhile: ${internalMessage(message)}`;
}

function internalMessage(message: string): string {
  return `${message.split('\n', 1)[0]} (run again with --debug and report it)`;
}
