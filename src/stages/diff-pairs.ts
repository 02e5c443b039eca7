/** Which tensors of two checkpoints are compared with each other: by their own names, or by timm's where those differ. */
import { ModelError } from '../base/errors.js';
import type { Values } from '../checkpoint/compare.js';
import type { ArtifactInfo, SafetensorsReader } from '../checkpoint/index.js';
import { type Library, type Part, type Recognised, recognise } from '../model/formats/recognise.js';

/** A checkpoint that is compared. */
export interface Opened {
  /** Path as given. */
  readonly path: string;
  readonly reader: SafetensorsReader;
  /** Undefined for a file of another tool. */
  readonly info: ArtifactInfo | undefined;
}

/** Values of one name on one side. */
export interface Named extends Values {
  /** Types of the tensors, joined by `+` where they differ. */
  readonly dtype: string;
}

/** What is compared under one name; a side that lacks it is undefined. */
export interface Pair {
  readonly name: string;
  readonly a: Named | undefined;
  readonly b: Named | undefined;
}

export interface Pairs {
  readonly names: 'own' | 'timm';
  /** Whose names each side has, where it is a ViT. */
  readonly libraries: readonly [Library | null, Library | null];
  readonly pairs: readonly Pair[];
  /** What is worth knowing about the names, one line each. */
  readonly notes: readonly string[];
}

/**
 * Tensors go by timm's names where both are ViTs and call the same parameter differently: one is Hugging Face's, or has a
 * prefix. The order is that of the names in `a`, then of those that only `b` has.
 */
export function pairUp(a: Opened, b: Opened): Pairs {
  const [foundA, foundB] = [understood(a), understood(b)];
  const libraries = [foundA.vit?.library ?? null, foundB.vit?.library ?? null] as const;
  const own = () => match(ownNames(a.reader), ownNames(b.reader));
  if (!foundA.vit || !foundB.vit) {
    const isHalf = foundA.vit !== undefined || foundB.vit !== undefined;
    const problems = [foundA.problem, foundB.problem].filter((problem) => problem !== undefined);
    return { names: 'own', libraries, pairs: own(), notes: isHalf ? problems : [] };
  }
  if (agree(foundA.vit, foundB.vit)) return { names: 'own', libraries, pairs: own(), notes: [] };
  const sides = [timmNames(a.reader, foundA.vit), timmNames(b.reader, foundB.vit)] as const;
  const notes = [a, b].flatMap(({ path }, i) => {
    const { left, zeros } = leftOut(sides[i], sides[1 - i], [foundA.vit, foundB.vit][i]);
    for (const name of left) sides[i].delete(name);
    return [
      ...(left.length > 0 ? [`${path}: ${left.join(', ')} left out: no classifier needs them`] : []),
      ...(zeros.length > 0 ? [`${path}: zeros for ${zeros.join(', ')}, which it does not have`] : []),
    ];
  });
  return { names: 'timm', libraries, pairs: match(...sides), notes };
}

/** A ViT under timm's names; the problem says why a model is none. */
function understood({ path, reader, info }: Opened): { vit?: Recognised; problem?: string } {
  if (info !== undefined && info.kind !== 'model') return {};
  const shapes = new Map([...reader.tensors].map(([name, { shape }]) => [name, shape]));
  try {
    return { vit: recognise(shapes, path) };
  } catch (error) {
    if (error instanceof ModelError) return { problem: error.message };
    throw error;
  }
}

/** Whether the parameters that both have are made of tensors of the same names. */
function agree(a: Recognised, b: Recognised): boolean {
  const tensors = (parts: readonly Part[]) => parts.map(({ tensor }) => tensor).join('\n');
  return [...a.parts].every(([name, parts]) => {
    const other = b.parts.get(name);
    return other === undefined || tensors(parts) === tensors(other);
  });
}

type Side = Map<string, Named>;

function match(a: Side, b: Side): Pair[] {
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return names.map((name) => ({ name, a: a.get(name), b: b.get(name) }));
}

function ownNames(reader: SafetensorsReader): Side {
  const named = [...reader.tensors].map(([name, { shape, dtype }]): [string, Named] => {
    return [name, { reader, parts: [{ tensor: name }], shape, dtype }];
  });
  return new Map(named);
}

function timmNames(reader: SafetensorsReader, { parts, shapes, ignored, unknown }: Recognised): Side {
  const side: Side = new Map();
  for (const [name, made] of parts) {
    const dtypes = made.flatMap(({ tensor, zeros }) => (zeros ? [] : [reader.tensors.get(tensor)?.dtype]));
    side.set(name, {
      reader,
      parts: made.map(({ tensor, zeros }) => (zeros ? {} : { tensor })),
      shape: shapes.get(name) ?? [],
      dtype: [...new Set(dtypes)].join('+'),
    });
  }
  const own = ownNames(reader);
  for (const name of [...ignored, ...unknown]) {
    const values = own.get(name);
    if (values) side.set(name, values);
  }
  return side;
}

/** Tensors of a side that nothing needs and the other side does not have, and tensors that are zeros. */
function leftOut(side: Side, other: Side, vit: Recognised | undefined): { left: string[]; zeros: string[] } {
  const zeros = [...(vit?.parts.values() ?? [])].flatMap((parts) => parts.filter((part) => part.zeros));
  return {
    left: (vit?.ignored ?? []).filter((name) => side.has(name) && !other.has(name)),
    zeros: zeros.map(({ tensor }) => tensor),
  };
}
