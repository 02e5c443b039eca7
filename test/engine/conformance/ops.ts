/** Named ops: values against float64 loops, gradients of every input against central differences. */
import { describe, expect, it } from 'vitest';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine } from '#wave/engine/types.js';
import * as ops from '#wave/ops/index.js';
import { at, product, type Reference, softmax } from '../../support/arrays.js';
import { expectClose } from '../../support/close.js';
import { ADAMW, differentiate, entries, evaluate, feeds, type Given, given } from '../../support/engine.js';
import { normalSized } from '../../support/pure-weights.js';
import * as reference from '../../support/reference.js';

/** Step of the differences, for directions whose elements have variance 1: rounding and curvature both stay small. */
const STEP = 2e-3;
/** Allowed error of a directional derivative, as a part of the gradient's 2-norm. A wrong formula is off by order 1. */
const GRADIENT_TOLERANCE = 2e-3;
const VALUE_TOLERANCE = { relative: 1e-6, absolute: 1e-5 };
const DIRECTIONS = 3;

const random = (name: string, ...shape: number[]): Given =>
  given(
    shape,
    normalSized(
      name,
      shape.reduce((product, size) => product * size, 1),
    ),
  );

interface OpCase {
  readonly name: string;
  readonly inputs: Record<string, Given>;
  /** Inputs that are not differentiated. */
  readonly constants?: Record<string, Given>;
  readonly run: (tensors: Record<string, Tensor>) => Tensor;
  readonly expected: (tensors: Record<string, Given>) => Reference;
}

const soft = (name: string, rows: number, classes: number): Given => {
  const values = random(name, rows, classes).values;
  const row = (i: number) => softmax([...values.slice(i * classes, (i + 1) * classes)]);
  return given([rows, classes], Array.from({ length: rows }, (_, i) => row(i)).flat());
};

const attentionCase = (batch: number, heads: number, tokens: number, queries: number): OpCase => ({
  name: `selfAttention of ${queries} of ${tokens} tokens, ${heads} heads, batch ${batch}`,
  inputs: { x: random('x', tokens * batch, 12), weight: random('weight', 36, 12), bias: random('bias', 36) },
  run: ({ x, weight, bias }) => ops.selfAttention(x, tf.mul(weight, 0.3), bias, { batch, heads, queries }),
  expected: ({ x, weight, bias }) =>
    reference.selfAttention(x, { shape: weight.shape, values: weight.values.map((w) => w * Math.fround(0.3)) }, bias, {
      batch,
      heads,
      queries,
    }),
});

/** Weights that keep the size of what goes through them: large scores would make a softmax too steep for differences. */
const small = (name: string, rows: number, columns: number): Given =>
  given(
    [rows, columns],
    random(name, rows, columns).values.map((value) => value / Math.sqrt(columns)),
  );

const NORM = { scale: random('scale', 6), shift: random('shift', 6) };
const EPSILON = 1e-3;

/** The residual branches, whose rows pass two layers: `first` and `second`. */
const branch = (name: string, rows: number, hidden: number, inner: number, more: Pick<OpCase, 'run' | 'expected'>) => ({
  name,
  inputs: {
    x: random('x', rows, 6),
    ...NORM,
    first: small('first', hidden, 6),
    firstBias: random('first bias', hidden),
    second: small('second', 6, inner),
    secondBias: random('second bias', 6),
  },
  ...more,
});

const attentionBranchCase = (queries: number): OpCase => {
  const sizes = { batch: 2, heads: 3, queries };
  return branch(`attentionBranch of ${queries} of 4 tokens`, 8, 18, 6, {
    run: ({ x, scale, shift, first, firstBias, second, secondBias }) =>
      ops.attentionBranch(
        x,
        { scale, bias: shift, epsilon: EPSILON },
        { weight: first, bias: firstBias },
        { weight: second, bias: secondBias },
        sizes,
      ),
    expected: ({ x, scale, shift, first, firstBias, second, secondBias }) => {
      const normal = reference.layerNorm(x, scale, shift, EPSILON);
      return reference.linear(reference.selfAttention(normal, first, firstBias, sizes), second, secondBias);
    },
  });
};

const CASES: OpCase[] = [
  attentionBranchCase(4),
  attentionBranchCase(1),
  branch('mlpBranch', 5, 8, 8, {
    run: ({ x, scale, shift, first, firstBias, second, secondBias }) =>
      ops.mlpBranch(
        x,
        { scale, bias: shift, epsilon: EPSILON },
        { weight: first, bias: firstBias },
        { weight: second, bias: secondBias },
      ),
    expected: ({ x, scale, shift, first, firstBias, second, secondBias }) => {
      const normal = reference.layerNorm(x, scale, shift, EPSILON);
      return reference.linear(reference.gelu(reference.linear(normal, first, firstBias)), second, secondBias);
    },
  }),
  {
    name: 'linearOfData',
    inputs: { weight: random('weight', 4, 7), bias: random('bias', 4) },
    constants: { x: random('x', 5, 7) },
    run: ({ x, weight, bias }) => ops.linearOfData(x, weight, bias),
    expected: ({ x, weight, bias }) => reference.linear(x, weight, bias),
  },
  {
    name: 'linear',
    inputs: { x: random('x', 5, 7), weight: random('weight', 4, 7), bias: random('bias', 4) },
    run: ({ x, weight, bias }) => ops.linear(x, weight, bias),
    expected: ({ x, weight, bias }) => reference.linear(x, weight, bias),
  },
  {
    name: 'linear of one row to one column',
    inputs: { x: random('x', 1, 3), weight: random('weight', 1, 3), bias: random('bias', 1) },
    run: ({ x, weight, bias }) => ops.linear(x, weight, bias),
    expected: ({ x, weight, bias }) => reference.linear(x, weight, bias),
  },
  {
    name: 'layerNorm',
    inputs: { x: random('x', 6, 10), scale: random('scale', 10), bias: random('bias', 10) },
    run: ({ x, scale, bias }) => ops.layerNorm(x, scale, bias, 1e-6),
    expected: ({ x, scale, bias }) => reference.layerNorm(x, scale, bias, 1e-6),
  },
  {
    name: 'layerNorm with an epsilon that matters',
    inputs: { x: random('x', 3, 8), scale: random('scale', 8), bias: random('bias', 8) },
    run: ({ x, scale, bias }) => ops.layerNorm(x, scale, bias, 0.5),
    expected: ({ x, scale, bias }) => reference.layerNorm(x, scale, bias, 0.5),
  },
  {
    name: 'gelu',
    inputs: {
      x: given(
        [41],
        Array.from({ length: 41 }, (_, i) => (i - 20) * 0.3),
      ),
    },
    run: ({ x }) => ops.gelu(x),
    expected: ({ x }) => reference.gelu(x),
  },
  attentionCase(2, 3, 5, 5),
  attentionCase(2, 3, 5, 2),
  attentionCase(3, 2, 4, 1),
  attentionCase(1, 1, 3, 3),
  {
    name: 'crossEntropy',
    inputs: { logits: random('logits', 4, 6) },
    constants: { targets: soft('targets', 4, 6) },
    run: ({ logits, targets }) => ops.crossEntropy(logits, targets),
    expected: ({ logits, targets }) => reference.crossEntropy(logits, targets),
  },
  {
    name: 'outerSum',
    inputs: { scalers: random('scalers', 3, 5), templates: random('templates', 3, 4) },
    run: ({ scalers, templates }) => ops.outerSum(scalers, templates),
    expected: ({ scalers, templates }) =>
      product(
        [5, 3, 4],
        (block, t) => at(scalers, [t, block]),
        (t, entry) => at(templates, [t, entry]),
      ),
  },
];

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((total, value, i) => total + value * b[i], 0);

/** Defines the tests; `engine` gives one that tells gradients. */
export function describeOps(engine: () => Engine): void {
  it('has a case for every op', () => {
    const tested = CASES.map(({ name }) => name.split(' ')[0]);
    expect([...new Set(tested)].sort()).toEqual(Object.keys(ops).sort());
  });

  describe.each(CASES)('$name', ({ inputs, constants = {}, run, expected }) => {
    it('computes what its definition says', async () => {
      const { y } = await evaluate(engine(), { ...inputs, ...constants }, (tensors) => ({ y: run(tensors) }));
      expectClose('value', y, expected({ ...inputs, ...constants }).values, VALUE_TOLERANCE);
    });

    it.each(Object.keys(inputs))('has the gradient of %s that differences show', async (name) => {
      const count = expected({ ...inputs, ...constants }).values.length;
      const weights = normalSized('output weights', count);
      const { gradients } = await differentiate(
        engine(),
        inputs,
        { ...constants, weights: given([count], weights) },
        (tensors) => tf.sum(tf.mul(tf.reshape(run(tensors), [-1]), tensors.weights)) as Scalar,
      );
      const state = await engine().createState(entries(inputs), ADAMW);
      const program = {
        inputs: new Map(
          Object.entries(constants).map(([key, { shape }]) => [key, { shape, dtype: 'float32' as const }]),
        ),
        run: (tensors: { parameters: ReadonlyMap<string, Tensor>; inputs: ReadonlyMap<string, Tensor> }) =>
          new Map([['y', run(Object.fromEntries([...tensors.parameters, ...tensors.inputs]))]]),
      };
      const step = await engine().compileInference(program, state, { frozen: false });
      const size = Math.sqrt(dot(gradients[name], gradients[name]));
      for (let i = 0; i < DIRECTIONS; i++) {
        const direction = normalSized(`direction ${i}`, inputs[name].values.length);
        const moved = async (distance: number): Promise<number> => {
          const values = inputs[name].values.map((value, k) => value + distance * direction[k]);
          await state.write(new Map([[name, Float32Array.from(values)]]));
          return dot((await step.run(feeds(constants))).get('y') as Float32Array, weights);
        };
        const slope = ((await moved(STEP)) - (await moved(-STEP))) / (2 * STEP);
        expect(Math.abs(slope - dot(gradients[name], direction))).toBeLessThanOrEqual(GRADIENT_TOLERANCE * size);
      }
      await step.dispose();
      await state.dispose();
    });
  });

  describe('gelu at zero', () => {
    it('is 0 with slope 1/2', async () => {
      const x = given([4], [0, -0, 1e-30, -1e-25]);
      const { gradients } = await differentiate(
        engine(),
        { x },
        {},
        (tensors) => tf.sum(ops.gelu(tensors.x)) as Scalar,
      );
      expect([...gradients.x]).toEqual([0.5, 0.5, 0.5, 0.5]);
    });
  });

  describe('gelu far from zero', () => {
    it('is 0 or x with slope 0 or 1, never NaN', async () => {
      const x = given([6], [-1e4, -200, -20, 20, 200, 1e4]);
      const { gradients, loss } = await differentiate(
        engine(),
        { x },
        {},
        (tensors) => tf.sum(ops.gelu(tensors.x)) as Scalar,
      );
      expect([...gradients.x]).toEqual([0, 0, 0, 1, 1, 1]);
      expect(loss).toBeCloseTo(10220, 2);
    });
  });

  describe('crossEntropy', () => {
    it('stays finite for logits that would overflow', async () => {
      const logits = given([2, 3], [1000, 0, -1000, -500, 500, 0]);
      const targets = given([2, 3], [0, 1, 0, 0, 1, 0]);
      const result = await differentiate(
        engine(),
        { logits },
        { targets },
        (tensors) => ops.crossEntropy(tensors.logits, tensors.targets) as Scalar,
      );
      expect(result.loss).toBeCloseTo(500, 3);
      expectClose('gradient', result.gradients.logits, [0.5, -0.5, 0, 0, 0, 0], { absolute: 1e-6 });
    });
  });
}
