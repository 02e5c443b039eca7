/** States and steps of engine ort: what is kept, what is refused, what stays unchanged when something goes wrong. */
import { afterAll, describe, expect, it } from 'vitest';
import { TrainingError, WaveError } from '#wave/base/errors.js';
import { createEngine } from '#wave/engine/create.js';
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, InferenceProgram, State, TrainingProgram } from '#wave/engine/types.js';
import { expectClose } from '../support/close.js';
import { ADAMW, entries, feeds, given, spec, TRAINED, testEngine } from '../support/engine.js';
import { uniform } from '../support/pure-weights.js';

const engine = testEngine();
/** The optimiser inside the graph, as devices other than the CPU have it. */
const graphEngine = createOrtEngine({ threads: 2, optimiser: 'graph' });
afterAll(() => Promise.all([engine.dispose(), graphEngine.dispose()]));

/** `w` and `b` are trained, `still` is only read; sizes that are no multiple of four. */
const PARAMETERS = {
  w: given([3, 5], uniform('w', 15)),
  b: given([3], uniform('b', 3)),
  still: given([5], uniform('still', 5)),
};
const ROWS = 4;
const inputs = () => feeds({ x: given([ROWS, 5], uniform('x', ROWS * 5)) });

/** Mean square of `(x + still) w^T + b`. */
const PROGRAM: TrainingProgram = {
  inputs: new Map([['x', spec([ROWS, 5])]]),
  run({ parameters, inputs: fed }) {
    const get = (name: string) => parameters.get(name) as Tensor;
    const y = tf.add(tf.matMul(tf.add(fed.get('x') as Tensor, get('still')), get('w'), false, true), get('b'));
    return { loss: tf.mean(tf.square(y)) as Scalar, outputs: new Map([['y', y]]) };
  },
};
const FORWARD: InferenceProgram = { inputs: PROGRAM.inputs, run: (tensors) => PROGRAM.run(tensors).outputs };

const newState = (on: Engine): Promise<State> =>
  on.createState(
    entries(PARAMETERS, (name) => ({ trained: name !== 'still', weightDecay: 0.1 })),
    ADAMW,
  );
const SETTINGS = { learningRate: 0.01, clipNorm: 0.5 };

describe.each([
  ['on the host', engine],
  ['in the graph', graphEngine],
])('a state with its optimiser %s', (_, on) => {
  it('gives back what it was made of', async () => {
    const state = await newState(on);
    expect(await state.read()).toEqual(new Map(Object.entries(PARAMETERS).map(([name, { values }]) => [name, values])));
    const { step, first, second } = await state.readOptimiser();
    expect(step).toBe(0);
    expect(first).toEqual(
      new Map([
        ['w', new Float32Array(15)],
        ['b', new Float32Array(3)],
      ]),
    );
    expect(second).toEqual(first);
  });

  it('takes new values for some parameters, which the next run sees', async () => {
    const state = await newState(on);
    const live = await on.compileInference(FORWARD, state, { frozen: false });
    const frozen = await on.compileInference(FORWARD, state, { frozen: true });
    const before = await live.run(inputs());
    expect(await frozen.run(inputs())).toEqual(before);
    await state.write(new Map([['b', Float32Array.of(1, 2, 3)]]));
    expect((await state.read()).get('b')).toEqual(Float32Array.of(1, 2, 3));
    expect((await state.read()).get('w')).toEqual(PARAMETERS.w.values);
    const moved = (before.get('y') as Float32Array).map((y, i) => y - PARAMETERS.b.values[i % 3] + (i % 3) + 1);
    expectClose('live', (await live.run(inputs())).get('y'), moved, { absolute: 1e-6 });
    expect(await frozen.run(inputs())).toEqual(before);
  });

  it('goes on exactly where another state stopped', async () => {
    const [one, other] = [await newState(on), await newState(on)];
    const step = await on.compileTraining(PROGRAM, one);
    const resumed = await on.compileTraining(PROGRAM, other);
    for (let i = 0; i < 3; i++) await step.run(inputs(), SETTINGS);
    const optimiser = await one.readOptimiser();
    expect(optimiser.step).toBe(3);
    await other.write(await one.read());
    await other.writeOptimiser(optimiser);
    for (let i = 0; i < 3; i++)
      expect(await resumed.run(inputs(), SETTINGS)).toEqual(await step.run(inputs(), SETTINGS));
    expect(await other.read()).toEqual(await one.read());
    expect(await other.readOptimiser()).toEqual(await one.readOptimiser());
  });

  it('never changes a parameter that is not trained', async () => {
    const state = await newState(on);
    const step = await on.compileTraining(PROGRAM, state);
    for (let i = 0; i < 3; i++) await step.run(inputs(), SETTINGS);
    const after = await state.read();
    expect(after.get('still')).toEqual(PARAMETERS.still.values);
    expect(after.get('w')).not.toEqual(PARAMETERS.w.values);
    expect([...(await state.readOptimiser()).first.keys()]).toEqual(['w', 'b']);
  });

  it.each([
    [Number.NaN, SETTINGS, /^loss is NaN: training diverged; lower the learning rate or check the data$/],
    [1e30, { learningRate: 0.01 }, /^loss is Infinity: training diverged/],
  ])('is unchanged after a loss that is not finite, from inputs of %s', async (x, settings, message) => {
    const state = await newState(on);
    const step = await on.compileTraining(PROGRAM, state);
    await step.run(inputs(), settings);
    const [before, optimiser] = [await state.read(), await state.readOptimiser()];
    const failed = step.run(new Map([['x', new Float32Array(ROWS * 5).fill(x)]]), settings);
    await expect(failed).rejects.toThrow(TrainingError);
    await expect(failed).rejects.toThrow(message);
    expect(await state.read()).toEqual(before);
    expect(await state.readOptimiser()).toEqual(optimiser);
  });

  it.each([SETTINGS, { learningRate: 0.01 }])(
    'is unchanged after a gradient that is not finite, %o',
    async (settings) => {
      const state = await on.createState(entries({ w: given([3], [0, 0, 0]) }), ADAMW);
      const root: TrainingProgram = {
        inputs: new Map(),
        // Zero, with no slope there.
        run: ({ parameters }) => ({
          loss: tf.sqrt(tf.sum(tf.square(parameters.get('w') as Tensor))) as Scalar,
          outputs: new Map(),
        }),
      };
      const failed = (await on.compileTraining(root, state)).run(new Map(), settings);
      await expect(failed).rejects.toThrow(TrainingError);
      await expect(failed).rejects.toThrow(/^gradient norm is NaN: training diverged/);
      expect(await state.read()).toEqual(new Map([['w', new Float32Array(3)]]));
      expect((await state.readOptimiser()).step).toBe(0);
    },
  );

  it('learns the same twice: ten steps give the same bytes', async () => {
    const run = async () => {
      const state = await newState(on);
      const step = await on.compileTraining(PROGRAM, state);
      const results = [];
      for (let i = 0; i < 10; i++) results.push(await step.run(inputs(), SETTINGS));
      return { results, parameters: await state.read(), optimiser: await state.readOptimiser() };
    };
    expect(await run()).toEqual(await run());
  });

  it('does a step in parts only where the gradients lie in memory', async () => {
    const step = await on.compileTraining(PROGRAM, await newState(on));
    expect(step.accumulate === undefined).toBe(on === graphEngine);
  });

  it('gives the norm of the gradients only when it clips', async () => {
    const state = await newState(on);
    const step = await on.compileTraining(PROGRAM, state);
    expect((await step.run(inputs(), { learningRate: 0 })).gradientNorm).toBeUndefined();
    expect((await step.run(inputs(), { learningRate: 0, clipNorm: 1 })).gradientNorm).toBeGreaterThan(0);
  });
});

describe('gradients', () => {
  it('stay where they are if the optimiser is in the graph', async () => {
    const step = await graphEngine.compileTraining(PROGRAM, await newState(graphEngine));
    await expect(step.gradients(inputs())).rejects.toThrow(
      /^gradients stay in the graph: make the engine with optimiser/,
    );
  });
});

describe('what is refused in one line', () => {
  const step = async (on = engine) => on.compileTraining(PROGRAM, await newState(on));
  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'an input of another size',
      async () => (await step()).run(new Map([['x', new Float32Array(7)]]), SETTINGS),
      /^input x must be float32 \[4, 5\] \(20 elements\), found Float32Array of 7$/,
    ],
    [
      'an input of another type',
      async () => (await step()).gradients(new Map([['x', new Int32Array(20)]])),
      /^input x must be float32 \[4, 5\] \(20 elements\), found Int32Array of 20$/,
    ],
    [
      'an input that is missing',
      async () => (await step()).run(new Map(), SETTINGS),
      /^input x must be float32 \[4, 5\] \(20 elements\), found nothing$/,
    ],
    [
      'a batch that was already given away',
      async () => {
        const [running, fed] = [await step(), inputs()];
        await running.run(fed, SETTINGS);
        await running.run(fed, SETTINGS);
      },
      /^input x must be float32 .* found Float32Array of 0$/,
    ],
    [
      'a parameter of another size',
      async () => (await newState(engine)).write(new Map([['w', new Float32Array(3)]])),
      /parameter w has 15 elements, 3 were given/,
    ],
    [
      'a parameter that the state does not have',
      async () => (await newState(engine)).write(new Map([['v', new Float32Array(3)]])),
      /the state has no parameter v/,
    ],
    [
      'values of another size at the start',
      () =>
        engine.createState(new Map([['w', { spec: spec([2]), values: new Float32Array(3), rule: TRAINED }]]), ADAMW),
      /parameter w has 2 elements, 3 were given/,
    ],
    [
      'a moment that is missing',
      async () => {
        const state = await newState(engine);
        const { step: count, first, second } = await state.readOptimiser();
        await state.writeOptimiser({ step: count, first, second: new Map([...second].slice(1)) });
      },
      /^the optimiser state has no second moment of w$/,
    ],
    [
      'a moment of another size',
      async () => {
        const state = await newState(engine);
        const { step: count, first, second } = await state.readOptimiser();
        await state.writeOptimiser({ step: count, first: new Map(first).set('w', new Float32Array(2)), second });
      },
      /^the first moment of w has 2 elements, the parameter 15: /,
    ],
    [
      'a state of another engine',
      async () => engine.compileTraining(PROGRAM, {} as State),
      /the state belongs to another engine/,
    ],
    [
      'a state that was disposed of',
      async () => {
        const state = await newState(engine);
        await state.dispose();
        await state.read();
      },
      /the state was disposed of/,
    ],
    [
      'a step that was disposed of',
      async () => {
        const running = await step();
        await running.dispose();
        await running.run(inputs(), SETTINGS);
      },
      /the compiled step was disposed of/,
    ],
    ['no threads', async () => createOrtEngine({ threads: 0 }), /^threads must be a positive integer, found 0$/],
    [
      'a device that the engine does not have',
      async () => createEngine({ name: 'ort', device: 'abacus', threads: 1 }),
      /^engine.device: engine ort has no device 'abacus': choose cpu or webgpu or cuda \(see wave doctor\)$/,
    ],
  ])('%s', async (_, attempt, message) => {
    const refused = attempt();
    await expect(refused).rejects.toThrow(WaveError);
    await expect(refused).rejects.toThrow(message);
    await refused.catch((error: Error) => expect(error.message).not.toContain('\n'));
  });
});
