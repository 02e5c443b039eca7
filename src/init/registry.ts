/** The list of methods. It holds their summaries, so that the help loads none of the methods themselves. */
import { ConfigError } from '../base/errors.js';
import { closest } from '../config/suggest.js';
import type { Method } from './method.js';

/** A method by name; `load` imports its file. */
export interface MethodEntry {
  readonly name: string;
  /** What it does and what it starts from. */
  readonly summary: string;
  readonly load: () => Promise<Method>;
}

/** All methods in the order of the help; the first one is the default. */
export const METHODS: readonly MethodEntry[] = [
  {
    name: 'wave',
    summary: 'Scalers of the target for the templates of --templates, inherited or random',
    load: async () => (await import('./wave.js')).wave,
  },
  {
    name: 'weight-selection',
    summary: 'Evenly spaced channels and the first blocks of a larger --ancestor',
    load: async () => (await import('./weight-selection.js')).weightSelection,
  },
  {
    name: 'deit',
    summary: 'From scratch, as DeiT; --ancestor or --templates only says what images and classes there are',
    load: async () => (await import('./deit.js')).deit,
  },
];

/** @throws ConfigError when there is no such method. */
export function findMethod(name: string): MethodEntry {
  const entry = METHODS.find((candidate) => candidate.name === name);
  if (entry !== undefined) return entry;
  const names = METHODS.map((candidate) => candidate.name);
  const near = closest(name, names);
  const hint = near === undefined ? '' : ` (did you mean ${near}?)`;
  throw new ConfigError(`method must be one of ${names.join(', ')}; found "${name}"${hint}`);
}
