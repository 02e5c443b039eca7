/** The list of subcommands. It holds the summaries, so that the overview loads none of the commands themselves. */
import type { Command } from './command.js';

/** A subcommand by name; `load` imports its file. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: 'Train' | 'Use' | 'Look';
  readonly load: () => Promise<Command>;
}

/** All subcommands in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'inspect',
    summary: 'List the tensors, parameters and history of a checkpoint',
    group: 'Look',
    load: async () => (await import('./commands/inspect.js')).inspectCommand,
  },
  {
    name: 'doctor',
    summary: 'Try every engine and device, and say how to repair what fails',
    group: 'Look',
    load: async () => (await import('./commands/doctor.js')).doctorCommand,
  },
];
