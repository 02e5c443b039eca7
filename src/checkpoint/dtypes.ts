/** The 22 element types of the format, in the rank order that the writer sorts by (lowest first). */

interface DtypeFacts {
  /** Bits per element. */
  readonly bits: number;
  /** Bytes of the unit whose byte order matters; differs from the element only for complex numbers. */
  readonly unitBytes: number;
}

const FACTS = {
  BOOL: { bits: 8, unitBytes: 1 },
  F4: { bits: 4, unitBytes: 1 },
  F6_E2M3: { bits: 6, unitBytes: 1 },
  F6_E3M2: { bits: 6, unitBytes: 1 },
  U8: { bits: 8, unitBytes: 1 },
  I8: { bits: 8, unitBytes: 1 },
  F8_E5M2: { bits: 8, unitBytes: 1 },
  F8_E4M3: { bits: 8, unitBytes: 1 },
  F8_E8M0: { bits: 8, unitBytes: 1 },
  F8_E4M3FNUZ: { bits: 8, unitBytes: 1 },
  F8_E5M2FNUZ: { bits: 8, unitBytes: 1 },
  I16: { bits: 16, unitBytes: 2 },
  U16: { bits: 16, unitBytes: 2 },
  F16: { bits: 16, unitBytes: 2 },
  BF16: { bits: 16, unitBytes: 2 },
  I32: { bits: 32, unitBytes: 4 },
  U32: { bits: 32, unitBytes: 4 },
  F32: { bits: 32, unitBytes: 4 },
  C64: { bits: 64, unitBytes: 4 },
  F64: { bits: 64, unitBytes: 8 },
  I64: { bits: 64, unitBytes: 8 },
  U64: { bits: 64, unitBytes: 8 },
} as const satisfies Record<string, DtypeFacts>;

/** Name of an element type as it stands in the file. */
export type Dtype = keyof typeof FACTS;

function isKnown(name: string): name is Dtype {
  return Object.hasOwn(FACTS, name);
}

/** All element types, lowest rank first. */
export const DTYPES: readonly Dtype[] = Object.keys(FACTS).filter(isKnown);

const RANKS: ReadonlyMap<Dtype, number> = new Map(DTYPES.map((name, rank) => [name, rank]));

/** Whether a text names an element type; names are case-sensitive. */
export function isDtype(name: string): name is Dtype {
  return isKnown(name);
}

/** Bits per element. */
export function dtypeBits(dtype: Dtype): number {
  return FACTS[dtype].bits;
}

/** Bytes of the unit whose byte order matters: 4 for C64 (two floats), else the element size rounded up. */
export function dtypeUnitBytes(dtype: Dtype): 1 | 2 | 4 | 8 {
  return FACTS[dtype].unitBytes;
}

/** Place in the writer's sort order. */
export function dtypeRank(dtype: Dtype): number {
  return RANKS.get(dtype) ?? -1;
}
