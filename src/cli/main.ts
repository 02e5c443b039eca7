/** The command line as a process: real streams, signals and the exit code. Everything else is in run.ts. */
import { Interruption } from './interruption.js';
import { COMMANDS, type CommandEntry } from './registry.js';
import { reportError } from './report-error.js';
import { run } from './run.js';

/** Runs the command line of this process, one of `commands`, and sets its exit code. */
export async function main(commands: readonly CommandEntry[] = COMMANDS): Promise<void> {
  const words = process.argv.slice(2);
  const io = { stdout: process.stdout, stderr: process.stderr, env: process.env, now: Date.now };
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  process.on('uncaughtException', (error) => process.exit(reportError(error, words, io)));
  const interruption = new Interruption((code) => process.exit(code));
  const stopListening = interruption.listen();
  try {
    process.exitCode = await run(words, io, interruption, commands);
  } finally {
    stopListening();
  }
}

/** The reader has gone, as in `wave inspect FILE | head`: nobody is left to tell, and the work is done all the same. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
