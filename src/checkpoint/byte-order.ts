/** The format is little-endian. On a big-endian host the bytes of every number are turned round after reading and before writing. */
import { endianness } from 'node:os';

const HOST_IS_LITTLE_ENDIAN = endianness() === 'LE';

/**
 * Turns little-endian numbers into the host's order, in place; turning twice gives the start again. Does nothing on
 * the usual hosts.
 * @param unitBytes Bytes of one number.
 * @param littleEndianHost Order of the host, given only by tests.
 */
export function swapToHost(
  bytes: Uint8Array,
  unitBytes: 1 | 2 | 4 | 8,
  littleEndianHost: boolean = HOST_IS_LITTLE_ENDIAN,
): void {
  if (littleEndianHost) {
    return;
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (unitBytes) {
    case 2:
      buffer.swap16();
      break;
    case 4:
      buffer.swap32();
      break;
    case 8:
      buffer.swap64();
      break;
  }
}

/** The little-endian bytes of numbers in the host's order; a copy only where the order differs. */
export function littleEndianBytes(
  bytes: Uint8Array,
  unitBytes: 1 | 2 | 4 | 8,
  littleEndianHost: boolean = HOST_IS_LITTLE_ENDIAN,
): Uint8Array {
  if (littleEndianHost || unitBytes === 1) {
    return bytes;
  }
  const copy = bytes.slice();
  swapToHost(copy, unitBytes, false);
  return copy;
}
