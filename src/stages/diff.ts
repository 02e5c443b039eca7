/** Stage `diffCheckpoints`: what differs between two checkpoints, in what they say and value by value. */
import { flatten } from '../base/flatten.js';
import { comparable, compareTensors } from '../checkpoint/compare.js';
import { type ArtifactKind, anyArtifactFile, openSafetensors, readArtifactInfo } from '../checkpoint/index.js';
import type { Library } from '../model/formats/recognise.js';
import { type Named, type Opened, type Pair, pairUp } from './diff-pairs.js';

/** One of the two checkpoints. */
export interface DiffSide {
  /** Files that were read. */
  readonly files: readonly string[];
  /** Null for a file of another tool. */
  readonly kind: ArtifactKind | null;
  /** Whose names its tensors have, where it is a ViT. */
  readonly library: Library | null;
  readonly tensors: number;
}

/** A field that both sides do not have alike; undefined where a side lacks it. */
export interface FieldDifference {
  /** Dotted. */
  readonly path: string;
  readonly a?: unknown;
  readonly b?: unknown;
}

/** A tensor of one side. */
export interface TensorFacts {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/**
 * How a tensor differs: it is on one side only, of another shape or other values, or only of another type. `unreadable`:
 * of a type that has no numbers to compare, and the bytes or types differ.
 */
export type DifferenceKind = 'only in a' | 'only in b' | 'shape' | 'unreadable' | 'values' | 'dtype';

export interface TensorDifference {
  readonly name: string;
  readonly what: DifferenceKind;
  readonly a: TensorFacts | null;
  readonly b: TensorFacts | null;
  /** Values that are not equal. */
  readonly unequal: number;
  /** Largest absolute difference of two finite values; null where values were not compared. */
  readonly largest: number | null;
  /** 2-norm of the difference over that of A's tensor, finite values alone; null also where A's are all zero. */
  readonly relative: number | null;
  /** Values that differ because one is NaN or infinite. */
  readonly notFinite: number;
}

/** What differs between two checkpoints. */
export interface CheckpointDiff {
  readonly a: DiffSide;
  readonly b: DiffSide;
  /** Nothing differs: content, lineage and metadata. */
  readonly identical: boolean;
  /** Every tensor is on both sides with the same shape and the same values; types may differ. */
  readonly sameValues: boolean;
  /** Whose names tensors were compared under. */
  readonly names: 'own' | 'timm';
  /** Fields of `wave.spec` that differ; here and below, none where a side is of another tool and has no such record. */
  readonly spec: readonly FieldDifference[];
  /** Fields that say how and when a file was made: `wave.lineage`, and by which hash scalers know their templates. */
  readonly lineage: readonly FieldDifference[];
  /** Metadata of other tools that differs. */
  readonly metadata: readonly FieldDifference[];
  /** Tensors under both names together. */
  readonly tensors: number;
  /** The largest absolute difference of all, and where; null where no values differ by a number. */
  readonly largest: { readonly name: string; readonly difference: number } | null;
  /** Values that are NaN on both sides, which count as equal. */
  readonly bothNaN: number;
  /** All tensors that are not the same, the most different first. */
  readonly differences: readonly TensorDifference[];
  /** What is worth knowing besides, one line each. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Compares two checkpoints: of this suite, of timm or Hugging Face, or any other safetensors. Values are compared in
 * float64, 64-bit integers exactly; a slice of one tensor is in memory at a time. Models whose tensors have different
 * names for the same parameters are compared under timm's names.
 *
 * @param a,b safetensors file, index of shards, or a folder with a model, else with templates or scalers
 * @throws CheckpointError when one cannot be read.
 */
export async function diffCheckpoints(a: string, b: string): Promise<CheckpointDiff> {
  const left = await open(a);
  try {
    const right = await open(b);
    try {
      return await compare(left, right);
    } finally {
      await right.reader.close();
    }
  } finally {
    await left.reader.close();
  }
}

async function open(path: string): Promise<Opened> {
  const reader = await openSafetensors(anyArtifactFile(path));
  try {
    return { path, reader, info: readArtifactInfo(reader) };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function compare(a: Opened, b: Opened): Promise<CheckpointDiff> {
  const { names, libraries, pairs, notes } = pairUp(a, b);
  const differences: TensorDifference[] = [];
  let bothNaN = 0;
  for (const pair of pairs) {
    const found = await comparePair(pair);
    bothNaN += found.bothNaN;
    if (found.difference) differences.push(found.difference);
  }
  differences.sort((x, y) => rank(x) - rank(y) || (y.largest ?? 0) - (x.largest ?? 0));
  const largest = differences.reduce<CheckpointDiff['largest']>(
    (most, each) =>
      (each.largest ?? 0) > (most?.difference ?? 0) ? { name: each.name, difference: each.largest ?? 0 } : most,
    null,
  );
  const fields = compareFields(a, b);
  const isSame = Object.values(fields).every(({ length }) => length === 0) && a.info?.kind === b.info?.kind;
  return {
    a: side(a, libraries[0]),
    b: side(b, libraries[1]),
    identical: isSame && differences.length === 0 && names === 'own',
    sameValues: differences.every(({ what }) => what === 'dtype'),
    names,
    ...fields,
    tensors: pairs.length,
    largest,
    bothNaN,
    differences,
    notes,
    warnings: [...a.reader.warnings, ...b.reader.warnings],
  };
}

function side({ reader, info }: Opened, library: Library | null): DiffSide {
  return { files: reader.files, kind: info?.kind ?? null, library, tensors: reader.tensors.size };
}

const RANKS: readonly DifferenceKind[] = ['only in a', 'only in b', 'shape', 'unreadable', 'values', 'dtype'];

/** What cannot be told in numbers comes first, then what is not finite. */
function rank({ what, notFinite }: TensorDifference): number {
  return RANKS.indexOf(what) - (notFinite > 0 ? 0.5 : 0);
}

async function comparePair({ name, a, b }: Pair): Promise<{ bothNaN: number; difference?: TensorDifference }> {
  const facts = { name, a: factsOf(a), b: factsOf(b), unequal: 0, largest: null, relative: null, notFinite: 0 };
  if (!a || !b) return { bothNaN: 0, difference: { ...facts, what: a ? 'only in a' : 'only in b' } };
  if (a.shape.join() !== b.shape.join()) return { bothNaN: 0, difference: { ...facts, what: 'shape' } };
  if (!comparable(a) || !comparable(b)) {
    return { bothNaN: 0, ...((await sameBytes(a, b)) ? {} : { difference: { ...facts, what: 'unreadable' } }) };
  }
  const { unequal, largest, relative, notFinite, bothNaN } = await compareTensors(a, b);
  if (unequal === 0 && a.dtype === b.dtype) return { bothNaN };
  const what = unequal > 0 ? 'values' : 'dtype';
  return { bothNaN, difference: { ...facts, what, unequal, largest, relative, notFinite } };
}

function factsOf(values: Named | undefined): TensorFacts | null {
  return values ? { dtype: values.dtype, shape: values.shape } : null;
}

/** Values without numbers are the same when their types and all their bytes are. */
async function sameBytes(a: Named, b: Named): Promise<boolean> {
  if (a.dtype !== b.dtype || a.parts.length !== b.parts.length) return false;
  for (const [i, { tensor }] of a.parts.entries()) {
    const other = b.parts[i].tensor;
    if (tensor === undefined || other === undefined) return false;
    const [own, others] = [await a.reader.readBytes(tensor), await b.reader.readBytes(other)];
    if (!Buffer.from(own.buffer).equals(others)) return false;
  }
  return true;
}

/** In the spec of scalers: the hash of a file, which changes with the date in it. */
const TEMPLATES_HASH = 'templates_sha256';

function compareFields(a: Opened, b: Opened): Pick<CheckpointDiff, 'spec' | 'lineage' | 'metadata'> {
  const metadata = fieldDifferences(foreign(a, b), foreign(b, a));
  // A file of another tool says nothing that could be compared.
  if (!a.info || !b.info) return { spec: [], lineage: [], metadata };
  const spec = fieldDifferences(a.info.spec, b.info.spec);
  const isContent = ({ path }: FieldDifference) => path !== TEMPLATES_HASH;
  return {
    spec: spec.filter(isContent),
    lineage: [...fieldDifferences(a.info.lineage, b.info.lineage), ...spec.filter((field) => !isContent(field))],
    metadata,
  };
}

/** The metadata of other tools; `format` is one that every artifact has, and tells nothing beside one. */
function foreign({ reader, info }: Opened, other: Opened): Record<string, string> {
  const metadata = new Map(info?.metadata ?? reader.metadata);
  if (info === undefined && other.info !== undefined) metadata.delete('format');
  return Object.fromEntries(metadata);
}

function fieldDifferences(a: unknown, b: unknown): FieldDifference[] {
  const [then, now] = [a, b].map((record) => (record === undefined ? new Map<string, unknown>() : flatten(record)));
  const paths = [...new Set([...then.keys(), ...now.keys()])];
  const isEqual = (path: string) =>
    then.has(path) === now.has(path) && JSON.stringify(then.get(path)) === JSON.stringify(now.get(path));
  return paths
    .filter((path) => !isEqual(path))
    .map((path) => ({
      path,
      ...(then.has(path) && { a: then.get(path) }),
      ...(now.has(path) && { b: now.get(path) }),
    }));
}
