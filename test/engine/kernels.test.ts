/** Every kernel that engine ort can trace, against plain loops; a kernel without a case here fails. */
import * as ort from 'onnxruntime-node';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { writeOnnx } from '#wave/engine/ort/onnx-writer.js';
import { trace } from '#wave/engine/ort/trace/trace.js';
import { type Tensor, tf } from '#wave/engine/tf.js';
import { at, indices } from '../support/arrays.js';
import { expectClose } from '../support/close.js';
import { evaluate, specs, testEngine } from '../support/engine.js';
import { positive, row, x } from './kernel-cases/case.js';
import { ELEMENTWISE } from './kernel-cases/elementwise.js';
import { NAMED, PRODUCTS } from './kernel-cases/product.js';
import { REDUCTIONS } from './kernel-cases/reduce.js';
import { SHAPES } from './kernel-cases/shape.js';

const engine = testEngine();
afterAll(() => engine.dispose());

const CASES = [...ELEMENTWISE, ...REDUCTIONS, ...SHAPES, ...PRODUCTS, ...NAMED];
const many = <T>(one: T | T[]): T[] => (Array.isArray(one) ? one : [one]);

describe('a kernel', () => {
  it.each(CASES.map((one) => [`${one.kernel} of ${one.of}`, one] as const))(
    '%s',
    async (_, { kernel, inputs, run, expected }) => {
      const spy = vi.spyOn(tf.engine(), 'runKernel');
      const shapes: number[][] = [];
      const outputs = await evaluate(engine, inputs, (tensors) => {
        const results = many(run(tensors));
        shapes.push(...results.map(({ shape }) => shape));
        return Object.fromEntries(results.map((tensor, i) => [`y${i}`, tensor]));
      });
      const kernels = spy.mock.calls.map(([name]) => name);
      spy.mockRestore();
      expect(kernels).toContain(kernel);
      expect(shapes).toEqual(many(expected).map(({ shape }) => shape));
      many(expected).forEach(({ values }, i) => {
        expectClose(`output ${i}`, outputs[`y${i}`], values, { absolute: 1e-5 });
      });
    },
  );

  it('has a case here if the engine has it', async () => {
    await evaluate(engine, { x }, (tensors) => ({ y: tensors.x }));
    const registered = tf.getKernelsForBackend('trace').map(({ kernelName }) => kernelName);
    expect(registered.length).toBeGreaterThan(50);
    expect([...new Set(CASES.map(({ kernel }) => kernel))].sort()).toEqual([...registered].sort());
  });
});

describe('a kernel for devices without fused operators', () => {
  it.each([...PRODUCTS, ...NAMED].map((one) => [`${one.kernel} of ${one.of}`, one] as const))(
    '%s',
    async (_, { inputs, run, expected }) => {
      const graph = await trace(
        specs(inputs),
        (tensors) => new Map(many(run(Object.fromEntries(tensors))).map((tensor, i) => [`y${i}`, tensor])),
        { fusedOperators: false },
      );
      expect(graph.nodes.map(({ domain }) => domain).filter((domain) => domain !== '')).toEqual([]);
      const session = await ort.InferenceSession.create(writeOnnx(graph));
      const fed = Object.entries(inputs).map(([name, { shape, values }]) => [name, new ort.Tensor(values, shape)]);
      const outputs = await session.run(Object.fromEntries(fed));
      many(expected).forEach(({ values }, i) => {
        expectClose(`output ${i}`, outputs[`y${i}`].data as Float32Array, values, { absolute: 1e-5 });
      });
    },
  );
});

describe('tensors of equal numbers', () => {
  const uniformCases: [string, (t: Tensor) => Tensor, (v: number) => number][] = [
    ['x + 0', (t) => tf.add(t, tf.zerosLike(t)), (v) => v],
    ['0 + x', (t) => tf.add(0, t), (v) => v],
    ['x - 0', (t) => tf.sub(t, 0), (v) => v],
    ['0 - x', (t) => tf.sub(0, t), (v) => -v],
    ['x * 1', (t) => tf.mul(t, tf.onesLike(t)), (v) => v],
    ['x * 0', (t) => tf.mul(t, 0), () => 0],
    ['x / 1', (t) => tf.div(t, 1), (v) => v],
    ['1 / x', (t) => tf.div(1, t), (v) => 1 / v],
    ['x ^ 1', (t) => tf.pow(t, tf.scalar(1)), (v) => v],
    ['(1 + 2) x', (t) => tf.mul(t, tf.add(tf.fill([4], 1), tf.fill([3, 4], 2))), (v) => 3 * v],
    [
      'a reshaped, transposed, tiled, cut one',
      (t) => tf.add(t, tf.slice(tf.tile(tf.transpose(tf.reshape(tf.fill([8], 5), [4, 2])), [2, 1]), [0, 0], [3, 4])),
      (v) => v + 5,
    ],
    ['a sum of them', (t) => tf.add(t, tf.sum(tf.fill([3, 4], 2), 0)), (v) => v + 6],
    [
      'large zeros and ones',
      (t) => tf.add(t, tf.mean(tf.add(tf.ones([100, 100]), tf.zeros([100, 100])))),
      (v) => v + 1,
    ],
  ];
  it.each(uniformCases)('compute the same: %s', async (_, run, element) => {
    const { y } = await evaluate(engine, { positive }, (t) => ({ y: run(t.positive) }));
    expectClose('value', y, Array.from(positive.values, element), { absolute: 1e-5 });
  });

  it('take the shape of a larger operand', async () => {
    const { y } = await evaluate(engine, { row }, (t) => ({ y: tf.mul(tf.onesLike(tf.zeros([3, 1])), t.row) }));
    expect([...y]).toEqual(indices([3, 4]).map((index) => at(row, index)));
  });
});
