/**
 * TensorFlow's operators on plain ids of tensors, for kernels that are a list of them. tfjs's own ops cost several times as
 * much JavaScript: a tensor object for every intermediate result and a new tensor for every number.
 */
import type { Tensor, TensorInfo } from '../tf.js';
import { attribute } from './attributes.js';
import { native, type OpAttribute, type Output } from './library.js';

/** A tensor inside a kernel. */
export type Value = Pick<Output, 'id' | 'shape'>;

/** Numbers that operators take as tensors, made once in a process. */
const constants = new Map<string, Value>();
/** Lists of integers, shapes above all. */
const lists = new Map<string, Value>();
/** A program needs a few hundred of them; who uses tfjs beside it may need a new one each time. */
const MOST_LISTS = 2048;
/** Attributes, made once in a process. */
const attributes = new Map<string, readonly OpAttribute[]>();

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

const typed = () => [attribute.float32('T')];

/** Runs operators and frees what they have made. To be used with TensorFlow as tfjs's backend. */
export class Scratch {
  readonly #made = new Set<Output>();
  /** Values that the next operator on them frees. */
  readonly #ending = new Set<Output>();

  /** Inputs of a kernel, by name. */
  values<Name extends string>(tensors: Readonly<Record<Name, TensorInfo>>): Record<Name, Value> {
    const names = Object.keys(tensors) as Name[];
    const ids = native().getInputTensorIds(Object.values(tensors));
    return Object.fromEntries(
      names.map((name, i) => [name, { id: ids[i], shape: tensors[name].shape }]),
    ) as unknown as Record<Name, Value>;
  }

  /** Inputs in order. */
  tensors(tensors: readonly TensorInfo[]): Value[] {
    return native()
      .getInputTensorIds(tensors)
      .map((id, i) => ({ id, shape: tensors[i]?.shape ?? [] }));
  }

  /** Tensors of tfjs's for values that an operator has made; all others are freed. No value may be named twice. */
  finish(values: readonly Value[]): Tensor[] {
    const backend = native();
    const kept = values as readonly Output[];
    for (const value of kept) this.#made.delete(value);
    this.free();
    return kept.map((value) => backend.createOutputTensor(value) as Tensor);
  }

  free(): void {
    const { binding } = native();
    for (const { id } of this.#made) binding.deleteTensor(id);
    this.#made.clear();
    this.#ending.clear();
  }

  /**
   * `value`, to be freed by the operator that it is given to: what comes next is then written where the processor's cache
   * still is. A value that the kernel returns must not be marked; one that this scratch has not made stays as it is.
   */
  last(value: Value): Value {
    if (this.#made.has(value as Output)) this.#ending.add(value as Output);
    return value;
  }

  run(operator: string, inputs: readonly Value[], given: readonly OpAttribute[], outputs = 1): Value[] {
    const { binding } = native();
    const ids = inputs.map(({ id }) => id);
    const made = binding.executeOp(operator, given, ids, outputs);
    for (const value of made) this.#made.add(value);
    if (this.#ending.size > 0) this.#end(inputs as readonly Output[]);
    return made;
  }

  #end(inputs: readonly Output[]): void {
    const { binding } = native();
    for (const value of inputs) {
      if (!this.#ending.delete(value)) continue;
      this.#made.delete(value);
      binding.deleteTensor(value.id);
    }
  }

  /** An operator of one output whose only attribute is the element type. */
  plain(operator: string, ...inputs: readonly Value[]): Value {
    return this.#one(operator, inputs, remembered(attributes, 'plain', typed));
  }

  number(value: number): Value {
    return remembered(constants, `${value}`, () => {
      const { binding } = native();
      return { id: binding.createTensor([], binding.TF_FLOAT, Float32Array.of(value)), shape: [] };
    });
  }

  /** A number that is another one at each step. */
  changing(value: number): Value {
    return this.given([], Float32Array.of(value));
  }

  /** A tensor of values of JavaScript's; they must not change while it lives. */
  given(shape: readonly number[], values: Float32Array): Value {
    const { binding } = native();
    const made = { id: binding.createTensor(shape, binding.TF_FLOAT, values), shape, dtype: binding.TF_FLOAT };
    this.#made.add(made);
    return made;
  }

  /** The only element of a tensor. */
  read({ id }: Value): number {
    return native().binding.tensorDataSync(id)[0] as number;
  }

  add(a: Value, b: Value): Value {
    return this.plain('AddV2', a, b);
  }

  sub(a: Value, b: Value): Value {
    return this.plain('Sub', a, b);
  }

  mul(a: Value, b: Value): Value {
    return this.plain('Mul', a, b);
  }

  /** Adam (Kingma & Ba 2015) in place. @param handles of value, first and second moment @param rest as the operator says */
  applyAdam(handles: readonly Value[], rest: readonly Value[]): void {
    const given = remembered(attributes, 'adam', () => [
      ...typed(),
      attribute.bool('use_locking', false),
      attribute.bool('use_nesterov', false),
    ]);
    this.run('ResourceApplyAdam', [...handles, ...rest], given, 0);
  }

  /** Product of two matrices. */
  matMul(a: Value, b: Value, transposeA = false, transposeB = false): Value {
    const given = remembered(attributes, `matMul ${transposeA} ${transposeB}`, () => [
      ...typed(),
      attribute.bool('transpose_a', transposeA),
      attribute.bool('transpose_b', transposeB),
    ]);
    return this.#one('MatMul', [a, b], given);
  }

  /** Product of batches of matrices. */
  batchMatMul(a: Value, b: Value, transposeA = false, transposeB = false): Value {
    const given = remembered(attributes, `batchMatMul ${transposeA} ${transposeB}`, () => [
      ...typed(),
      attribute.bool('adj_x', transposeA),
      attribute.bool('adj_y', transposeB),
    ]);
    return this.#one('BatchMatMulV2', [a, b], given);
  }

  /** `[rows, columns] + [columns]` */
  addBias(x: Value, bias: Value): Value {
    return this.#one('BiasAdd', [x, bias], remembered(attributes, 'columns', columns));
  }

  /** `[rows, columns]` to `[columns]` */
  columnSums(x: Value): Value {
    return this.#one('BiasAddGrad', [x], remembered(attributes, 'columns', columns));
  }

  /** Means over the last axis, which stays with size 1. */
  mean(x: Value): Value {
    return this.#reduce('Mean', x);
  }

  /** Sums over the last axis, which stays with size 1. */
  sum(x: Value): Value {
    return this.#reduce('Sum', x);
  }

  /** Sum of tensors of one shape. */
  addN(values: readonly Value[]): Value {
    const given = [...typed(), attribute.integer('N', values.length)];
    return this.#one('AddN', values, given);
  }

  /** The same elements in another shape; one size may be -1. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.#one(
      'Reshape',
      [x, integers(shape)],
      remembered(attributes, 'Tshape', () => withIndex('Tshape')),
    );
  }

  transpose(x: Value, axes: readonly number[]): Value {
    return this.#one(
      'Transpose',
      [x, integers(axes)],
      remembered(attributes, 'Tperm', () => withIndex('Tperm')),
    );
  }

  /** Parts of equal size along the first axis. */
  split(x: Value, count: number): Value[] {
    const given = remembered(attributes, `split ${count}`, () => [...typed(), attribute.integer('num_split', count)]);
    return this.run('Split', [integer(0), x], given, count);
  }

  /** Parts one after the other along the first axis. */
  concat(parts: readonly Value[]): Value {
    const given = [...withIndex('Tidx'), attribute.integer('N', parts.length)];
    return this.#one('ConcatV2', [...parts, integer(0)], given);
  }

  /** The first `rows` rows of a matrix. */
  firstRows(x: Value, rows: number): Value {
    if (rows === x.shape[0]) return x;
    const given = remembered(attributes, 'Index', () => withIndex('Index'));
    return this.#one('Slice', [x, integers([0, 0]), integers([rows, x.shape[1] as number])], given);
  }

  /** A matrix of `rows` rows: that of `x`, then zeros. */
  padRows(x: Value, rows: number): Value {
    const missing = rows - (x.shape[0] as number);
    if (missing === 0) return x;
    const { binding } = native();
    const padding = remembered(constants, `padding ${missing}`, () => {
      return { id: binding.createTensor([2, 2], binding.TF_INT32, Int32Array.of(0, missing, 0, 0)), shape: [2, 2] };
    });
    return this.#one(
      'Pad',
      [x, padding],
      remembered(attributes, 'Tpaddings', () => withIndex('Tpaddings')),
    );
  }

  #reduce(operator: string, x: Value): Value {
    const given = remembered(attributes, 'reduce', () => [...withIndex('Tidx'), attribute.bool('keep_dims', true)]);
    return this.#one(operator, [x, integers([x.shape.length - 1])], given);
  }

  #one(operator: string, inputs: readonly Value[], given: readonly OpAttribute[]): Value {
    return this.run(operator, inputs, given)[0] as Value;
  }
}

/** Element type, and int32 for the attribute `name` of indices. */
function withIndex(name: string): OpAttribute[] {
  return [...typed(), attribute.int32(name)];
}

function columns(): OpAttribute[] {
  return [...typed(), attribute.text('data_format', 'NHWC')];
}

function integers(values: readonly number[]): Value {
  const key = values.join();
  const list = lists.get(key) ?? newList(values);
  // The last in the map is the one used last.
  lists.delete(key);
  lists.set(key, list);
  return list;
}

/** In place of the list that was not used for longest, where there are too many. */
function newList(values: readonly number[]): Value {
  const { binding } = native();
  const [oldest] = lists;
  if (oldest && lists.size >= MOST_LISTS) {
    lists.delete(oldest[0]);
    binding.deleteTensor(oldest[1].id);
  }
  const shape = [values.length];
  return { id: binding.createTensor(shape, binding.TF_INT32, Int32Array.from(values)), shape };
}

function integer(value: number): Value {
  return remembered(constants, `integer ${value}`, () => {
    const { binding } = native();
    return { id: binding.createTensor([], binding.TF_INT32, Int32Array.of(value)), shape: [] };
  });
}
