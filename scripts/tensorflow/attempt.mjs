// Programs that the setup calls: in silence, with one line when they fail.
import { execFileSync } from 'node:child_process';

/** Runs a program in silence. */
export function attempt(problem, program, flags, cwd) {
  try {
    return execFileSync(program, flags, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 2 ** 28,
    });
  } catch (error) {
    const failure = new Error(problem);
    failure.stderr = error.stderr;
    failure.stdout = error.stdout ?? error.message;
    throw failure;
  }
}
