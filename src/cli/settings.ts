/** The settings of a stage: its schema, the file, `--set` and the named flags, in the order of their precedence. */
import type { z } from 'zod';
import type { Arguments } from './arguments.js';
import type { Outcome } from './command.js';

/** Where the named flags live among the settings. */
const FLAG_PATHS = {
  engine: 'engine.name',
  device: 'engine.device',
  threads: 'engine.threads',
  seed: 'seed',
} as const;

/** Flags that are not called like the last key of their path. */
export const FLAG_NAMES = { [FLAG_PATHS.engine]: '--engine' };

/** The settings that the named flags stand for, by dotted path. */
export function flagSettings(args: Arguments): Record<string, unknown> {
  return {
    [FLAG_PATHS.engine]: args.text('engine'),
    [FLAG_PATHS.device]: args.text('device'),
    [FLAG_PATHS.threads]: args.number('threads'),
    [FLAG_PATHS.seed]: args.number('seed'),
  };
}

/** Checked settings of a stage. */
export interface Settings<Config> {
  readonly config: Config;
  /** The outcome of `--dry-run`: all settings as YAML. */
  readonly dryRun: () => Outcome;
}

/**
 * Loads and checks the settings of a stage.
 * @throws ConfigError with one line per problem.
 */
export async function loadSettings<S extends z.ZodType>(schema: S, args: Arguments): Promise<Settings<z.output<S>>> {
  const { loadConfig, resolvedConfigYaml } = await import('../config/index.js');
  const config = loadConfig({
    schema,
    file: args.text('config'),
    sets: args.list('set'),
    flags: flagSettings(args),
    flagNames: FLAG_NAMES,
  });
  return { config, dryRun: () => ({ data: { dryRun: true, config }, text: resolvedConfigYaml(config) }) };
}
