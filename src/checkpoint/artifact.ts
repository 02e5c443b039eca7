/**
 * The suite's own files: safetensors whose metadata says what they are (`wave.kind`), what is in them (`wave.spec`)
 * and where they come from (`wave.lineage`). Any safetensors reader opens them.
 */
import { canonicalJson } from '../base/canonical-json.js';
import { quote } from '../base/text.js';
import { CheckpointError } from './errors.js';
import { checkLineage, type Lineage } from './lineage.js';
import type { SafetensorsReader } from './reader.js';
import type { TensorInput } from './tensor-input.js';
import { type Named, writeSafetensors } from './writer.js';

/** Kinds of artifacts: weights of a model, a template bank, scalers of a target, the state of a run. */
export const ARTIFACT_KINDS = ['model', 'templates', 'scalers', 'state'] as const;

/** What an artifact holds. */
export type ArtifactKind = (typeof ARTIFACT_KINDS)[number];

/** What is written into an artifact. */
export interface Artifact {
  readonly kind: ArtifactKind;
  /** Description of the content; any value that JSON can hold. */
  readonly spec: unknown;
  readonly lineage: Lineage;
  readonly tensors: Named<TensorInput>;
  /** Metadata of other tools to keep. Its `format` and `wave.*` keys are replaced by this artifact's own. */
  readonly metadata?: Named<string>;
}

/** What an artifact says about itself. */
export interface ArtifactInfo {
  readonly kind: ArtifactKind;
  /** As stored, to be checked by the layer that knows the kind. */
  readonly spec: unknown;
  /** Absent when another tool has removed it. */
  readonly lineage?: Lineage;
  /** The metadata of other tools: everything but `format` and `wave.*`. */
  readonly metadata: ReadonlyMap<string, string>;
}

const OWN_PREFIX = 'wave.';
const KIND_KEY = 'wave.kind';
const SPEC_KEY = 'wave.spec';
const LINEAGE_KEY = 'wave.lineage';

/** Hugging Face libraries refuse files without this key; `pt` stands for PyTorch's layout of weights. */
const FORMAT_KEY = 'format';
const FORMAT_VALUE = 'pt';

function isOwnKey(key: string): boolean {
  return key === FORMAT_KEY || key.startsWith(OWN_PREFIX);
}

/** The metadata of an artifact, ready to be written. */
export function artifactMetadata(artifact: Omit<Artifact, 'tensors'>): ReadonlyMap<string, string> {
  const foreign = [...(artifact.metadata ?? [])].filter(([key]) => !isOwnKey(key));
  return new Map([
    ...foreign,
    [FORMAT_KEY, FORMAT_VALUE],
    [KIND_KEY, artifact.kind],
    [SPEC_KEY, canonicalJson(artifact.spec)],
    [LINEAGE_KEY, canonicalJson(artifact.lineage)],
  ]);
}

/**
 * Writes an artifact atomically. The same artifact gives the same bytes.
 * @throws {CheckpointError} as {@link writeSafetensors}.
 */
export async function writeArtifact(path: string, artifact: Artifact): Promise<void> {
  await writeSafetensors(path, artifact.tensors, artifactMetadata(artifact));
}

/**
 * What an open checkpoint says about itself, or undefined for a safetensors file of another tool.
 * @throws {CheckpointError} InvalidArtifact when it is an artifact that this version does not understand.
 */
export function readArtifactInfo(file: Pick<SafetensorsReader, 'source' | 'metadata'>): ArtifactInfo | undefined {
  const kindText = file.metadata.get(KIND_KEY);
  if (kindText === undefined) {
    return undefined;
  }
  const kind = ARTIFACT_KINDS.find((known) => known === kindText);
  if (kind === undefined) {
    const problem = `the metadata ${KIND_KEY} is ${quote(kindText)}, known are ${ARTIFACT_KINDS.join(', ')}; use a newer version of wave`;
    throw new CheckpointError('InvalidArtifact', file.source, problem);
  }
  const lineage = file.metadata.has(LINEAGE_KEY) ? checkLineage(parseJson(file, LINEAGE_KEY), file.source) : undefined;
  return {
    kind,
    spec: parseJson(file, SPEC_KEY),
    ...(lineage === undefined ? {} : { lineage }),
    metadata: new Map([...file.metadata].filter(([key]) => !isOwnKey(key))),
  };
}

/**
 * The artifact's information, if it is of one of the given kinds.
 * @param advice what to do if it is not, for the message
 * @throws {CheckpointError} WrongKind naming what was found and what was expected; InvalidArtifact.
 */
export function expectKind(
  file: Pick<SafetensorsReader, 'source' | 'metadata'>,
  kind: ArtifactKind | readonly ArtifactKind[],
  advice = 'name another file',
): ArtifactInfo {
  const kinds = [kind].flat();
  const info = readArtifactInfo(file);
  if (info === undefined || !kinds.includes(info.kind)) {
    const found = info === undefined ? 'a safetensors file of another tool (it has no wave.kind)' : describe(info.kind);
    const problem = `is ${found}, expected ${kinds.map(describe).join(' or ')}; ${advice}`;
    throw new CheckpointError('WrongKind', file.source, problem);
  }
  return info;
}

function describe(kind: ArtifactKind): string {
  switch (kind) {
    case 'model':
      return 'a model';
    case 'templates':
      return 'a template bank';
    case 'scalers':
      return 'a set of scalers';
    case 'state':
      return 'the state of a run';
  }
}

function parseJson(file: Pick<SafetensorsReader, 'source' | 'metadata'>, key: string): unknown {
  const text = file.metadata.get(key);
  if (text === undefined) {
    throw new CheckpointError('InvalidArtifact', file.source, `the metadata ${key} is missing; write the file again`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const problem = `the metadata ${key} is not JSON; write the file again`;
    throw new CheckpointError('InvalidArtifact', file.source, problem, { cause: error });
  }
}
