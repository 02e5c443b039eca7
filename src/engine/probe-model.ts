/**
 * The smallest model worth running: C = A B on constants, so that an engine is tried without any file. Encoded by
 * hand, because the probe must not depend on the writer that it may be used to debug. Field numbers are those of
 * onnx.proto (https://onnx.ai/onnx/repo-docs/IR.html).
 */

/** Side of the square matrices. */
export const PROBE_SIZE = 4;

/** IR and operator-set versions that every onnxruntime 1.17 and newer reads. */
const IR_VERSION = 8;
const OPSET = 17;
/** TensorProto.DataType.FLOAT. */
const FLOAT = 1;

/** ONNX file with inputs `a`, `b` `[4, 4]` and output `c = a b` `[4, 4]`, all float32. */
export function probeModel(): Uint8Array {
  const node = message(text(1, 'a'), text(1, 'b'), text(2, 'c'), text(4, 'MatMul'));
  const graph = message(
    bytes(1, node),
    text(2, 'probe'),
    bytes(11, value('a')),
    bytes(11, value('b')),
    bytes(12, value('c')),
  );
  return Uint8Array.from(message(integer(1, IR_VERSION), bytes(7, graph), bytes(8, message(integer(2, OPSET)))));
}

/** Inputs and the product they must give, row by row. Small integers, so every correct device gives exactly this. */
export function probeData(): { readonly a: Float32Array; readonly b: Float32Array; readonly c: Float32Array } {
  const count = PROBE_SIZE * PROBE_SIZE;
  const a = Float32Array.from({ length: count }, (_, i) => (i % 5) - 2);
  const b = Float32Array.from({ length: count }, (_, i) => (i % 7) - 3);
  const c = new Float32Array(count);
  for (let row = 0; row < PROBE_SIZE; row++) {
    for (let column = 0; column < PROBE_SIZE; column++) {
      for (let k = 0; k < PROBE_SIZE; k++) {
        c[row * PROBE_SIZE + column] += a[row * PROBE_SIZE + k] * b[k * PROBE_SIZE + column];
      }
    }
  }
  return { a, b, c };
}

/** ValueInfoProto of a float matrix. */
function value(name: string): number[] {
  const side = bytes(1, message(integer(1, PROBE_SIZE)));
  const tensor = message(integer(1, FLOAT), bytes(2, message(side, side)));
  return message(text(1, name), bytes(2, message(bytes(1, tensor))));
}

function message(...fields: readonly number[][]): number[] {
  return fields.flat();
}

function integer(field: number, number: number): number[] {
  return [...varint(field << 3), ...varint(number)];
}

function bytes(field: number, content: readonly number[]): number[] {
  return [...varint((field << 3) | 2), ...varint(content.length), ...content];
}

function text(field: number, content: string): number[] {
  return bytes(field, [...new TextEncoder().encode(content)]);
}

function varint(number: number): number[] {
  const low = number & 0x7f;
  return number < 0x80 ? [low] : [low | 0x80, ...varint(number >>> 7)];
}
