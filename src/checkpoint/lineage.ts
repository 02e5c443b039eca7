/** Where an artifact comes from: the command, configuration, parents, data, seed and engine that made it. */
import { ConfigError } from '../base/errors.js';
import { CheckpointError } from './errors.js';

/** A file that an artifact was made from. */
export interface LineageParent {
  /** Role or file name, for example "ancestor" or "templates.safetensors". */
  readonly name: string;
  /** SHA-256 of the file, lower-case hexadecimal. */
  readonly sha256: string;
}

/** What the caller knows. */
export interface LineageFacts {
  /** The command line as typed. */
  readonly command: string;
  /** SHA-256 of the resolved configuration. */
  readonly configSha256: string;
  readonly parents: readonly LineageParent[];
  /** SHA-256 of the list of samples, when data was used. */
  readonly dataSha256?: string;
  readonly seed: number;
  /** Engine and device, for example "ort/cpu". */
  readonly engine: string;
  readonly toolVersion: string;
  /** Training steps done, of a file that was written before the end of a run. */
  readonly step?: number;
}

/** The record stored in an artifact under `wave.lineage`. */
export interface Lineage extends LineageFacts {
  /** Time of making in UTC, ISO 8601 with seconds. */
  readonly date: string;
}

/** Latest second that a JavaScript date can hold. */
const MAX_EPOCH_SECONDS = 8_640_000_000_000;

/**
 * Completes a lineage with the date: `SOURCE_DATE_EPOCH` (seconds since 1970) when it is set, so that builds can be
 * reproduced byte for byte, else now.
 * @throws {ConfigError} when `SOURCE_DATE_EPOCH` is not a whole number of seconds.
 */
export function makeLineage(
  facts: LineageFacts,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Lineage {
  return { ...facts, date: lineageDate(environment.SOURCE_DATE_EPOCH) };
}

function lineageDate(epoch: string | undefined): string {
  if (epoch !== undefined && (!/^[0-9]+$/.test(epoch) || Number(epoch) > MAX_EPOCH_SECONDS)) {
    throw new ConfigError(
      `SOURCE_DATE_EPOCH: must be whole seconds since 1970, found ${JSON.stringify(epoch)}; correct or unset it`,
    );
  }
  const milliseconds = epoch === undefined ? Date.now() : Number(epoch) * 1000;
  return new Date(milliseconds).toISOString().replace(/\.[0-9]+Z$/, 'Z');
}

/**
 * Checks a lineage read from a file. Fields of later versions are dropped.
 * @throws {CheckpointError} InvalidArtifact naming the field.
 */
export function checkLineage(value: unknown, source: string): Lineage {
  const field = fieldReader(value, source, 'wave.lineage');
  const dataSha256 = field('dataSha256', (item) => item === undefined || typeof item === 'string');
  const step = field('step', (item) => item === undefined || typeof item === 'number');
  return {
    command: field('command', isString),
    configSha256: field('configSha256', isString),
    parents: field('parents', isArray).map((parent: unknown, index) => {
      const parentField = fieldReader(parent, source, `wave.lineage: parents[${index}]`);
      return { name: parentField('name', isString), sha256: parentField('sha256', isString) };
    }),
    ...(dataSha256 === undefined ? {} : { dataSha256 }),
    seed: field('seed', (item) => typeof item === 'number'),
    engine: field('engine', isString),
    toolVersion: field('toolVersion', isString),
    ...(step === undefined ? {} : { step }),
    date: field('date', isString),
  };
}

function isString(item: unknown): item is string {
  return typeof item === 'string';
}

function isArray(item: unknown): item is readonly unknown[] {
  return Array.isArray(item);
}

/** Reads fields of an object that must be there with the right type. */
function fieldReader(
  value: unknown,
  source: string,
  where: string,
): <T>(name: string, isRight: (item: unknown) => item is T) => T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckpointError(
      'InvalidArtifact',
      source,
      `the metadata ${where} must be an object; write the file again`,
    );
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  return (name, isRight) => {
    const item = fields.get(name);
    if (!isRight(item)) {
      const found = item === undefined ? 'is missing' : `has the wrong type`;
      throw new CheckpointError(
        'InvalidArtifact',
        source,
        `the metadata ${where}: ${name} ${found}; write the file again`,
      );
    }
    return item;
  };
}
