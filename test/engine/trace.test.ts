/** What engine ort refuses to compile, and what the recorded graph looks like. */
import { afterAll, describe, expect, it } from 'vitest';
import { EngineError } from '#wave/base/errors.js';
import { GEMM } from '#wave/engine/kernel-names.js';
import type { FinishedGraph } from '#wave/engine/ort/graph.js';
import { trace } from '#wave/engine/ort/trace/trace.js';
import { type Scalar, type Tensor, type Tensor4D, tf } from '#wave/engine/tf.js';
import type { ParameterRule, TrainingProgram } from '#wave/engine/types.js';
import { expectClose } from '../support/close.js';
import { ADAMW, entries, evaluate, feeds, type Given, given, spec, testEngine } from '../support/engine.js';
import { uniform } from '../support/pure-weights.js';

const engine = testEngine();
afterAll(() => engine.dispose());

const matrix = (name: string, rows: number, columns: number): Given =>
  given([rows, columns], uniform(name, rows * columns));
const x = matrix('x', 4, 4);

describe('a program that cannot be traced', () => {
  it.each<[string, (x: Tensor) => Tensor, RegExp]>([
    [
      'asks for a kernel that is missing',
      (t) => tf.einsum('ij,kj->ik', t, tf.cumsum(t)),
      /^kernel 'Cumsum', asked for by op 'cumsum', is not supported by engine ort: /,
    ],
    [
      'convolves',
      (t) => tf.conv2d(tf.reshape(t, [1, 4, 4, 1]) as Tensor4D, tf.zeros([2, 2, 1, 1]), 1, 'valid'),
      /^kernel 'Conv2D', asked for by op 'conv2d', is not supported by engine ort: /,
    ],
    ['reads values', (t) => tf.mul(t, t.dataSync()[0]), /asked for the values of a tensor: programs must be pure/],
    [
      'makes a large constant',
      (t) => tf.sum(tf.concat([t, tf.tensor(uniform('large', 4100), [1025, 4])])),
      /^a program made a constant of 4100 elements \(shape \[1025, 4\]\), more than 4096: pass it as an input/,
    ],
    ['makes strings', () => tf.tensor(['a', 'b']), /^a string tensor cannot be traced/],
    ['returns truth values', (t) => tf.greater(t, 0), /^output:y is bool: outputs must be float32 or int32; cast it/],
  ])('is refused in one line when it %s', async (_, run, message) => {
    const refused = evaluate(engine, { x }, (tensors) => ({ y: run(tensors.x) }));
    await expect(refused).rejects.toThrow(EngineError);
    await expect(refused).rejects.toThrow(message);
    await refused.catch((error: Error) => expect(error.message).not.toContain('\n'));
  });

  it('leaves the engine able to compile the next one', async () => {
    await expect(evaluate(engine, { x }, (t) => ({ y: tf.cumsum(t.x) }))).rejects.toThrow(EngineError);
    const { y } = await evaluate(engine, { x }, (t) => ({ y: tf.neg(t.x) }));
    expectClose(
      'negative',
      y,
      x.values.map((value) => -value),
      { absolute: 0 },
    );
  });

  it('may not use tensors that were made outside', async () => {
    let outside: Tensor | undefined;
    await evaluate(engine, { x }, (t) => {
      outside = tf.keep(t.x);
      return { y: t.x };
    });
    await expect(evaluate(engine, { x }, (t) => ({ y: tf.add(t.x, outside as Tensor) }))).rejects.toThrow(EngineError);
  });

  it.each<[string, (t: ReadonlyMap<string, Tensor>) => Tensor, Partial<ParameterRule>, RegExp]>([
    [
      'leaves a trained parameter out',
      (t) => tf.sum(t.get('used') as Tensor),
      {},
      /^the loss does not depend on parameter unused: /,
    ],
    [
      'ends in a loss that is no scalar',
      (t) => tf.add(t.get('used') as Tensor, t.get('unused') as Tensor),
      {},
      /^the loss must be one number, found shape \[4, 4\]/,
    ],
    [
      'has nothing to train',
      (t) => tf.sum(t.get('used') as Tensor),
      { trained: false },
      /^no parameter of the state is trained/,
    ],
  ])('is refused in one line when it %s', async (_, loss, rule, message) => {
    const state = await engine.createState(
      entries({ used: x, unused: x }, () => rule),
      ADAMW,
    );
    const program: TrainingProgram = {
      inputs: new Map(),
      run: ({ parameters }) => ({ loss: loss(parameters) as Scalar, outputs: new Map() }),
    };
    const refused = engine.compileTraining(program, state);
    await expect(refused).rejects.toThrow(EngineError);
    await expect(refused).rejects.toThrow(message);
  });
});

describe('tracing', () => {
  it('leaves no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await record(({ a, b }) => ({ y: tf.add(a, b), z: tf.keep(tf.mul(a, b)) }));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('counts a negative axis of tf.stack from the end', async () => {
    const row = given([1, 3], [1, 2, 3]);
    const { y } = await evaluate(engine, { row }, (t) => ({ y: tf.stack([t.row, t.row], -1) }));
    expect([...y]).toEqual([1, 1, 2, 2, 3, 3]);
  });

  it('does not hide what is not finite behind a product with 0', async () => {
    const { y } = await evaluate(engine, { x }, (t) => ({ y: tf.mul(tf.div(t.x, 0), 0) }));
    expect([...y].every(Number.isNaN)).toBe(true);
  });

  it('refuses tf.gather with batch dimensions', async () => {
    const gathered = ({ a }: Record<string, Tensor>) => ({ y: tf.gather(a, tf.zeros([4, 1], 'int32'), 1, 1) });
    await expect(record(gathered)).rejects.toThrow(/^tf.gather with batchDims is not supported by engine ort/);
  });
});

describe('two programs compiled at the same time', () => {
  it('do not mix', async () => {
    const [twice, half] = await Promise.all([
      evaluate(engine, { x }, (t) => ({ y: tf.mul(t.x, 2) })),
      evaluate(engine, { x }, (t) => ({ y: tf.mul(t.x, 0.5) })),
    ]);
    expectClose(
      'twice',
      twice.y,
      x.values.map((value) => value * 2),
      { absolute: 0 },
    );
    expectClose(
      'half',
      half.y,
      x.values.map((value) => value / 2),
      { absolute: 0 },
    );
  });
});

/** What is recorded for `run` over inputs a to d, all [4, 4], and r, [4]. */
function record(run: (t: Record<string, Tensor>) => Record<string, Tensor>): Promise<FinishedGraph> {
  const inputs = new Map(['a', 'b', 'c', 'd'].map((name) => [name, spec([4, 4])]));
  return trace(inputs.set('r', spec([4])), (tensors) => new Map(Object.entries(run(Object.fromEntries(tensors)))), {
    fusedOperators: true,
  });
}

const ops = (graph: FinishedGraph): string[] => graph.nodes.map(({ op }) => op).filter((op) => op !== 'Identity');
const gemm = (a: Tensor, b: Tensor): Tensor =>
  tf.engine().runKernel(GEMM, { a, b }, { transposeA: false, transposeB: false, alpha: 1 });

describe('the recorded graph', () => {
  it('holds equal nodes and equal constants once', async () => {
    const graph = await record(({ a, b }) => {
      const once = tf.exp(tf.mul(tf.add(a, b), 3));
      const again = tf.exp(tf.mul(tf.add(a, b), tf.scalar(3)));
      return { y: tf.div(once, tf.sub(again, tf.tensor1d([1, 2, 3, 4]))), z: tf.add(again, tf.tensor1d([1, 2, 3, 4])) };
    });
    expect(ops(graph)).toEqual(['Add', 'Mul', 'Exp', 'Sub', 'Div', 'Add']);
    expect(graph.constants).toHaveLength(2);
  });

  it('keeps apart nodes that differ in attributes only', async () => {
    const graph = await record(({ a }) => {
      const cube = tf.reshape(a, [2, 4, 2]);
      return { y: tf.transpose(cube, [2, 1, 0]), z: tf.transpose(cube, [0, 2, 1]) };
    });
    expect(ops(graph)).toEqual(['Reshape', 'Transpose', 'Transpose']);
  });

  it('holds nothing that no output needs', async () => {
    const graph = await record(({ a, b }) => {
      tf.mul(tf.matMul(a, b), tf.tensor1d([1, 2, 3, 4]));
      return { y: tf.neg(a) };
    });
    expect(ops(graph)).toEqual(['Neg']);
    expect(graph.constants).toEqual([]);
  });

  it.each<[string, (t: Record<string, Tensor>) => Record<string, Tensor>]>([
    ['on the right', ({ a, b, c }) => ({ y: tf.add(gemm(a, b), c) })],
    ['on the left', ({ a, b, c }) => ({ y: tf.add(c, gemm(a, b)) })],
    ['of a second product', ({ a, b, c, d }) => ({ y: tf.add(gemm(a, b), tf.matMul(c, d)) })],
  ])('adds a matrix %s inside the product', async (_, run) => {
    const graph = await record(run);
    expect(ops(graph)).not.toContain('Add');
    expect(graph.nodes.find(({ op }) => op === 'Gemm')?.inputs).toHaveLength(3);
  });

  it.each<[string, (t: Record<string, Tensor>) => Record<string, Tensor>]>([
    ['a row', ({ a, b, r }) => ({ y: tf.add(gemm(a, b), r) })],
    [
      'to a product that is read twice',
      ({ a, b, c }) => {
        const product = gemm(a, b);
        return { y: tf.mul(tf.add(product, c), product) };
      },
    ],
    [
      'to a product that is an output',
      ({ a, b, c }) => {
        const product = gemm(a, b);
        return { y: tf.add(product, c), product };
      },
    ],
    [
      'a product to itself',
      ({ a, b }) => {
        const product = gemm(a, b);
        return { y: tf.add(product, product) };
      },
    ],
    ['to a batch of products', ({ a, b, c }) => ({ y: tf.add(tf.reshape(gemm(a, b), [1, 4, 4]), c) })],
  ])('does not add %s inside the product', async (_, run) => {
    const graph = await record(run);
    expect(ops(graph)).toContain('Add');
    expect(graph.nodes.filter(({ op, inputs }) => op === 'Gemm' && inputs.length > 2)).toEqual([]);
  });

  it('computes the same whether or not an addition was folded', async () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => matrix(name, 4, 4));
    const { folded, apart } = await evaluate(engine, { a, b, c, d }, (t) => ({
      folded: tf.add(tf.add(gemm(t.a, t.b), t.c), gemm(t.c, t.d)),
      apart: tf.add(tf.add(tf.matMul(t.a, t.b), t.c), tf.matMul(t.c, t.d)),
    }));
    expectClose('sum', folded, apart as Float32Array, { absolute: 1e-6 });
  });

  it('may give one value, an input or a constant several names', async () => {
    const outputs = await evaluate(engine, { x }, (t) => ({ y: t.x, z: t.x, one: tf.scalar(1), ones: tf.ones([2]) }));
    expect(outputs.y).toEqual(x.values);
    expect(outputs.z).toEqual(x.values);
    expect([...outputs.one, ...outputs.ones]).toEqual([1, 1, 1]);
  });

  it('takes and gives integers', async () => {
    const state = await engine.createState(new Map(), ADAMW);
    const program = {
      inputs: new Map([['which', spec([3], 'int32')]]),
      run: ({ inputs }: { inputs: ReadonlyMap<string, Tensor> }) =>
        new Map([['next', tf.add(inputs.get('which') as Tensor, tf.scalar(1, 'int32'))]]),
    };
    const step = await engine.compileInference(program, state, { frozen: false });
    expect(await step.run(new Map([['which', Int32Array.of(1, 2, -7)]]))).toEqual(
      new Map([['next', Int32Array.of(2, 3, -6)]]),
    );
  });
});

describe('a step that uses only some parameters and inputs', () => {
  it('runs without the others', async () => {
    const state = await engine.createState(
      entries({ w: x, other: x }, (name) => ({ trained: name === 'w' })),
      ADAMW,
    );
    const step = await engine.compileTraining(
      {
        inputs: new Map([
          ['x', spec([4, 4])],
          ['ignored', spec([2])],
        ]),
        run: ({ parameters, inputs }) => ({
          loss: tf.sum(tf.mul(parameters.get('w') as Tensor, inputs.get('x') as Tensor)) as Scalar,
          outputs: new Map(),
        }),
      },
      state,
    );
    const { gradients } = await step.gradients(feeds({ x, ignored: given([2], [0, 0]) }));
    expect(gradients).toEqual(new Map([['w', x.values]]));
  });
});
