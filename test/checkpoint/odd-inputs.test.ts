import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CheckpointError, parseSafetensors } from '#wave/checkpoint/index.js';

// Made by scripts/fixtures/make-safetensors-fixtures.py: what the Python package 0.8.0 says about each input.
interface OddInput {
  readonly name: string;
  /** 'accepted' or the name of the error variant. */
  readonly wheel: string;
  readonly base64: string;
}

const inputs: readonly OddInput[] = JSON.parse(
  readFileSync(new URL('fixtures/odd-inputs.json', import.meta.url), 'utf8'),
);

/** Where this reader differs on purpose; docs/checkpoints.md gives the reasons. */
const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['duplicate tensor, same region', 'DuplicateKey'],
  ['duplicate tensor, escaped', 'DuplicateKey'],
  ['duplicate key in metadata', 'DuplicateKey'],
  ['duplicate key in an extra field', 'DuplicateKey'],
  ['entry as array', 'InvalidHeaderDeserialization'],
  ['dtype as object', 'InvalidHeaderDeserialization'],
  ['shape 0 and 2^64-1', 'LimitExceeded'],
  ['shape 2^53 and 0', 'LimitExceeded'],
  ['rank 65', 'LimitExceeded'],
]);

/** Own codes that say more exactly what the wheel calls invalid JSON. */
const FINER: ReadonlySet<string> = new Set(['DuplicateKey', 'LimitExceeded']);

function verdict(input: OddInput): string {
  try {
    parseSafetensors(Buffer.from(input.base64, 'base64'), input.name);
    return 'accepted';
  } catch (error) {
    if (error instanceof CheckpointError) {
      // Recognised as another format: the check that failed is the cause.
      return error.cause instanceof CheckpointError ? error.cause.code : error.code;
    }
    throw error;
  }
}

describe('the Python package', () => {
  it.each(inputs.map((input) => [input.name, input] as const))('agrees about: %s', (name, input) => {
    const found = verdict(input);
    const wanted = DIFFERENCES.get(name) ?? input.wheel;
    if (wanted === 'InvalidHeaderDeserialization' && FINER.has(found)) {
      return;
    }
    expect(found).toBe(wanted);
  });

  it('accepts every input on which this reader is stricter', () => {
    for (const input of inputs.filter(({ name }) => DIFFERENCES.has(name))) {
      expect([input.name, input.wheel]).toEqual([input.name, 'accepted']);
    }
    expect(inputs.filter(({ name }) => DIFFERENCES.has(name))).toHaveLength(DIFFERENCES.size);
  });
});
