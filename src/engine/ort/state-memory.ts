/**
 * Memory of a state inside the engine's worker. Parameters, gradients and moments lie in WebAssembly memories, so that
 * onnxruntime reads and writes them in place and the optimiser kernel runs over them without a copy.
 */
import * as ort from 'onnxruntime-node';
import { EngineError } from '../../base/errors.js';
import { elementCount } from '../../base/shape.js';
import type { OptimiserPlace, ParameterLayout } from './worker-protocol.js';

/** WebAssembly's unit of memory, in bytes. */
const PAGE_BYTES = 65_536;
/** Bytes of one memory at most; WebAssembly's limit is 4 GiB, and half of it keeps every address positive. */
const MAX_ARENA_BYTES = 2 ** 31;
/** Start of every tensor, in bytes: a cache line, and what onnxruntime's vector code likes. */
const ALIGNMENT = 64;

/** A tensor in an arena: `address` in bytes, `padded` elements from there on are its own (zeros after its values). */
export interface Slot {
  readonly arena: WebAssembly.Memory;
  readonly address: number;
  readonly padded: number;
  readonly values: Float32Array;
  readonly tensor: ort.Tensor;
}

/** All slots of one parameter. Slots of a parameter that is not trained are undefined, but for its values. */
export interface ParameterSlots {
  readonly layout: ParameterLayout;
  value: Slot;
  readonly gradient?: Slot;
  first?: Slot;
  second?: Slot;
  /** With the optimiser in the graph: where the next step writes; swapped with the current ones after it. */
  next?: { value: Slot; first: Slot; second: Slot };
}

/** Slots that a parameter needs: value; gradient and two moments when trained on the host; all twice in the graph. */
function slotCount({ rule }: ParameterLayout, place: OptimiserPlace): number {
  if (!rule.trained) return 1;
  return place === 'host' ? 4 : 6;
}

export function allocateState(layout: readonly ParameterLayout[], place: OptimiserPlace): Map<string, ParameterSlots> {
  const slots = new Map<string, ParameterSlots>();
  for (const group of groupByArena(layout, place)) {
    const bytes = group.reduce((sum, entry) => sum + slotBytes(entry.shape) * slotCount(entry, place), 0);
    const pages = Math.max(1, Math.ceil(bytes / PAGE_BYTES));
    const arena = new WebAssembly.Memory({ initial: pages, maximum: pages });
    let address = 0;
    const take = (shape: readonly number[]): Slot => {
      const values = new Float32Array(arena.buffer, address, elementCount(shape));
      const padded = slotBytes(shape) / Float32Array.BYTES_PER_ELEMENT;
      const slot = { arena, address, padded, values, tensor: new ort.Tensor('float32', values, shape) };
      address += slotBytes(shape);
      return slot;
    };
    for (const entry of group) slots.set(entry.name, parameterSlots(entry, place, take));
  }
  return slots;
}

function parameterSlots(
  layout: ParameterLayout,
  place: OptimiserPlace,
  take: (shape: readonly number[]) => Slot,
): ParameterSlots {
  const { shape } = layout;
  const value = take(shape);
  if (!layout.rule.trained) return { layout, value };
  if (place === 'host') return { layout, value, gradient: take(shape), first: take(shape), second: take(shape) };
  const [first, second] = [take(shape), take(shape)];
  return { layout, value, first, second, next: { value: take(shape), first: take(shape), second: take(shape) } };
}

function slotBytes(shape: readonly number[]): number {
  const bytes = elementCount(shape) * Float32Array.BYTES_PER_ELEMENT;
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** Parameters in order, cut where the next one would not fit into the arena any more. */
function groupByArena(layout: readonly ParameterLayout[], place: OptimiserPlace): ParameterLayout[][] {
  const groups: ParameterLayout[][] = [[]];
  let used = 0;
  for (const entry of layout) {
    const bytes = slotBytes(entry.shape) * slotCount(entry, place);
    if (bytes > MAX_ARENA_BYTES) {
      throw new EngineError(
        `parameter ${entry.name} needs ${bytes} bytes with gradient and moments, more than ${MAX_ARENA_BYTES} that one ` +
          'memory can hold: use a smaller model',
      );
    }
    if (used + bytes > MAX_ARENA_BYTES) {
      groups.push([]);
      used = 0;
    }
    groups[groups.length - 1]?.push(entry);
    used += bytes;
  }
  return groups;
}
