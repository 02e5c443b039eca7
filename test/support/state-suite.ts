/**
 * What holds for a state and its training step on every device: what is kept, what stays unchanged when something goes
 * wrong, what is the same twice.
 */
import { expect, it } from 'vitest';
import { TrainingError } from '#wave/base/errors.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, InferenceProgram, State, TrainingProgram } from '#wave/engine/types.js';
import { expectClose } from './close.js';
import { ADAMW, entries, feeds, given, spec } from './engine.js';
import { uniform } from './pure-weights.js';

/** `w` and `b` are trained, `still` is only read; sizes that are no multiple of four. */
const PARAMETERS = {
  w: given([3, 5], uniform('w', 15)),
  b: given([3], uniform('b', 3)),
  still: given([5], uniform('still', 5)),
};
const ROWS = 4;
export const inputs = () => feeds({ x: given([ROWS, 5], uniform('x', ROWS * 5)) });

/** Mean square of `(x + still) w^T + b`. */
export const PROGRAM: TrainingProgram = {
  inputs: new Map([['x', spec([ROWS, 5])]]),
  run({ parameters, inputs: fed }) {
    const get = (name: string) => parameters.get(name) as Tensor;
    const y = tf.add(tf.matMul(tf.add(fed.get('x') as Tensor, get('still')), get('w'), false, true), get('b'));
    return { loss: tf.mean(tf.square(y)) as Scalar, outputs: new Map([['y', y]]) };
  },
};
const FORWARD: InferenceProgram = { inputs: PROGRAM.inputs, run: (tensors) => PROGRAM.run(tensors).outputs };

export const newState = (on: Engine): Promise<State> =>
  on.createState(
    entries(PARAMETERS, (name) => ({ trained: name !== 'still', weightDecay: 0.1 })),
    ADAMW,
  );
export const SETTINGS = { learningRate: 0.01, clipNorm: 0.5 };

/** Declares the tests; to be called inside of a `describe`. */
export function testState(on: () => Engine): void {
  it('gives back what it was made of', async () => {
    const state = await newState(on());
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
    const state = await newState(on());
    const live = await on().compileInference(FORWARD, state, { frozen: false });
    const frozen = await on().compileInference(FORWARD, state, { frozen: true });
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
    const [one, other] = [await newState(on()), await newState(on())];
    const step = await on().compileTraining(PROGRAM, one);
    const resumed = await on().compileTraining(PROGRAM, other);
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
    const state = await newState(on());
    const step = await on().compileTraining(PROGRAM, state);
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
    const state = await newState(on());
    const step = await on().compileTraining(PROGRAM, state);
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
      const state = await on().createState(entries({ w: given([3], [0, 0, 0]) }), ADAMW);
      const root: TrainingProgram = {
        inputs: new Map(),
        // Zero, with no slope there.
        run: ({ parameters }) => ({
          loss: tf.sqrt(tf.sum(tf.square(parameters.get('w') as Tensor))) as Scalar,
          outputs: new Map(),
        }),
      };
      const failed = (await on().compileTraining(root, state)).run(new Map(), settings);
      await expect(failed).rejects.toThrow(TrainingError);
      await expect(failed).rejects.toThrow(/^gradient norm is NaN: training diverged/);
      expect(await state.read()).toEqual(new Map([['w', new Float32Array(3)]]));
      expect((await state.readOptimiser()).step).toBe(0);
    },
  );

  it('learns the same twice: ten steps give the same bytes', async () => {
    const run = async () => {
      const state = await newState(on());
      const step = await on().compileTraining(PROGRAM, state);
      const results = [];
      for (let i = 0; i < 10; i++) results.push(await step.run(inputs(), SETTINGS));
      return { results, parameters: await state.read(), optimiser: await state.readOptimiser() };
    };
    expect(await run()).toEqual(await run());
  });

  it('gives the norm of the gradients only when it clips', async () => {
    const state = await newState(on());
    const step = await on().compileTraining(PROGRAM, state);
    expect((await step.run(inputs(), { learningRate: 0 })).gradientNorm).toBeUndefined();
    expect((await step.run(inputs(), { learningRate: 0, clipNorm: 1 })).gradientNorm).toBeGreaterThan(0);
  });
}
