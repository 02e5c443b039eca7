/** The words of `wave diff`: tables of what differs, and one line that sums it up. */
import type { CheckpointDiff, DiffSide, FieldDifference, TensorDifference, TensorFacts } from '../stages/diff.js';
import { count } from './progress-text.js';
import { renderPairs, renderTable } from './table.js';

/** Rows of a table; more are counted. */
const SHOWN = 20;
/** Longest value of a field in the table, characters. */
const LONGEST_VALUE = 40;

const LIBRARIES = { timm: 'timm', huggingface: 'Hugging Face' } as const;

/** Which files, what they say differently, which tensors differ, and the sum of it. */
export function renderDiff(diff: CheckpointDiff): string {
  const names = `timm's, since the two have different ones (A: ${library(diff.a)}, B: ${library(diff.b)})`;
  const facts: [string, string][] = [
    ['A', describe(diff.a)],
    ['B', describe(diff.b)],
    ...(diff.names === 'timm' ? [['names', names] as [string, string]] : []),
    ...diff.notes.map((note): [string, string] => ['note', note]),
  ];
  return [renderPairs(facts), fields(diff), tensors(diff), `${summary(diff)}\n`]
    .filter((part) => part !== '')
    .join('\n');
}

/** What breaks the limit, or undefined: the largest difference, or what cannot be compared at all. */
export function limitExceeded({ differences, largest }: CheckpointDiff, limit: number): string | undefined {
  const found = [
    ...uncomparable(differences),
    ...(largest !== null && largest.difference > limit
      ? [`a difference of ${beyond(largest.difference, limit)} in ${largest.name}`]
      : []),
  ];
  return found.length === 0 ? undefined : found.join(', ');
}

/** Three digits, unless they hide that the limit is exceeded. */
function beyond(difference: number, limit: number): string {
  const short = number(difference);
  return Number(short) > limit ? short : String(difference);
}

/** `identical`, `same values; ...`, or how many tensors differ and by how much. */
export function summary(diff: CheckpointDiff): string {
  const { differences, largest, bothNaN } = diff;
  const nans = bothNaN === 0 ? '' : `; ${count(bothNaN, 'value')} NaN on both sides, taken as equal`;
  if (diff.identical) return `identical${nans}`;
  const told = [...besides(diff)];
  if (diff.sameValues) return `${['same values', ...told].join('; ')}${nans}`;
  const differing = differences.filter(({ what }) => what !== 'dtype');
  const most = largest === null ? [] : [`largest ${number(largest.difference)} in ${largest.name}`];
  const details = [...most, ...uncomparable(differences)].map((text) => `, ${text}`).join('');
  const sum = `${differing.length} of ${count(diff.tensors, 'tensor')} ${differing.length === 1 ? 'differs' : 'differ'}`;
  return `${[`${sum}${details}`, ...told].join('; ')}${nans}`;
}

/** What differs besides values. */
function* besides({ a, b, spec, lineage, metadata, differences, names }: CheckpointDiff): Generator<string> {
  const types = differences.filter((each) => each.a !== null && each.b !== null && each.a.dtype !== each.b.dtype);
  if (names === 'timm') yield 'names differ';
  if (types.length > 0) yield `types differ in ${count(types.length, 'tensor')}`;
  if (a.kind !== b.kind) yield `kind differs: ${kind(a)}, ${kind(b)}`;
  const listed = (name: string, found: readonly FieldDifference[]) => {
    const paths = found.slice(0, SHOWN).map(({ path }) => path);
    const more = found.length > paths.length ? ` and ${found.length - paths.length} more` : '';
    return `${name} differs: ${paths.join(', ')}${more}`;
  };
  if (spec.length > 0) yield listed('spec', spec);
  const told = worthTelling(metadata);
  if (told.length > 0) yield listed('metadata', told);
  if (lineage.length > 0) yield listed('lineage', lineage);
}

/** Without a `format` that only one of two files has: it names the library that wrote a file, and tells nothing of the model. */
function worthTelling(metadata: readonly FieldDifference[]): readonly FieldDifference[] {
  return metadata.filter(({ path, a, b }) => path !== 'format' || (a !== undefined && b !== undefined));
}

/** What no tolerance lets pass, counted. */
function uncomparable(differences: readonly TensorDifference[]): string[] {
  const of = (what: TensorDifference['what']) => differences.filter((each) => each.what === what).length;
  const notFinite = differences.filter((each) => each.notFinite > 0).length;
  const counts: [number, string][] = [
    [of('only in a'), 'only in A'],
    [of('only in b'), 'only in B'],
    [of('shape'), 'of another shape'],
    [of('unreadable'), 'of a type without numbers that cannot be compared or has other bytes'],
    [notFinite, 'with NaN or infinity against another value'],
  ];
  return counts.flatMap(([found, text]) => (found > 0 ? [`${count(found, 'tensor')} ${text}`] : []));
}

function describe(side: DiffSide): string {
  const [file = '', ...others] = side.files;
  const more = others.length > 0 ? ` and ${count(others.length, 'more file')}` : '';
  return `${file}${more} (${kind(side)}, ${count(side.tensors, 'tensor')})`;
}

function kind(side: DiffSide): string {
  if (side.kind !== null) return side.kind;
  return side.library === null ? 'of another tool' : `of ${LIBRARIES[side.library]}`;
}

function library({ library: name }: DiffSide): string {
  return name === null ? 'none' : LIBRARIES[name];
}

function fields({ spec, lineage, metadata }: CheckpointDiff): string {
  const all = Object.entries({ spec, lineage, metadata: worthTelling(metadata) }).flatMap(([record, found]) =>
    found.map(({ path, a, b }) => [`${record}.${path}`, value(a), value(b)]),
  );
  return all.length === 0 ? '' : capped([{ name: 'field' }, { name: 'A' }, { name: 'B' }], all);
}

function value(field: unknown): string {
  if (field === undefined) return '-';
  const text = typeof field === 'string' ? field : JSON.stringify(field);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE - 3)}...` : text;
}

function tensors({ differences }: CheckpointDiff): string {
  if (differences.length === 0) return '';
  return capped(
    [
      { name: 'tensor' },
      { name: 'difference', align: 'right' },
      { name: 'relative', align: 'right' },
      { name: 'values', align: 'right' },
      { name: 'what' },
    ],
    differences.map((each) => [
      each.name,
      number(each.largest),
      number(each.relative),
      each.unequal === 0 ? '-' : String(each.unequal),
      remark(each),
    ]),
  );
}

function remark({ what, a, b, notFinite }: TensorDifference): string {
  const facts = (side: TensorFacts | null) => (side ? `${side.dtype} [${side.shape.join(', ')}]` : '-');
  const finite = notFinite > 0 ? `${notFinite} NaN or infinite, ` : '';
  if (what === 'values') return `${finite}${facts(a)}${a?.dtype === b?.dtype ? '' : ` and ${b?.dtype}`}`;
  if (what === 'dtype') return `same values, ${a?.dtype} and ${b?.dtype}`;
  if (what === 'shape') return `${facts(a)} and ${facts(b)}`;
  if (what === 'unreadable') return `other bytes or types, ${facts(a)} and ${facts(b)}`;
  return `${what === 'only in a' ? 'only in A' : 'only in B'}, ${facts(a ?? b)}`;
}

function capped(columns: Parameters<typeof renderTable>[0], rows: readonly (readonly string[])[]): string {
  const more = rows.length > SHOWN ? `and ${rows.length - SHOWN} more (all with --json)\n` : '';
  return `${renderTable(columns, rows.slice(0, SHOWN))}${more}`;
}

/** Three digits; `-` where there is no number. */
function number(found: number | null): string {
  if (found === null) return '-';
  if (found === 0) return '0';
  return found < 1e-3 || found >= 1e6 ? found.toExponential(2) : String(Number(found.toPrecision(3)));
}
