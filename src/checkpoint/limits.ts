/** Caps of the reader and writer. Each says its unit, its reason and the headroom over real files. */

/** Bytes of the length field before the header. */
export const LENGTH_BYTES = 8;

/** Largest header in bytes: the cap of the reference implementation. 10,000 tensors need about 1 MB. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Deepest nesting of JSON objects and arrays, the root included: the recursion limit of the reference implementation. */
export const MAX_JSON_DEPTH = 127;

/** Most dimensions of a tensor: the cap of NumPy, through which such a file would have been written. */
export const MAX_RANK = 64;

/** Most distinct warnings kept for one file, so that a hostile header cannot fill the memory or the terminal. */
export const MAX_WARNINGS = 20;

/** Largest index file in bytes. An index of 100,000 tensors has about 10 MB. */
export const MAX_INDEX_BYTES = 100_000_000;

/** Most shards of one model; each keeps a file open. At the usual 5 GB a shard this is 5 TB. */
export const MAX_SHARDS = 1_000;

/** Largest single read in bytes: Node cannot ask the system for more than 2^31 - 1. */
export const MAX_READ_BYTES = 1 << 30;

/** Bytes converted at a time, so that a conversion needs little memory beside its result. A multiple of 8. */
export const CONVERT_BYTES = 1 << 22;

/** Largest total of a tensor's bits or elements: the format computes with unsigned 64-bit numbers. */
export const MAX_U64 = 0xffff_ffff_ffff_ffffn;
