/** A step in parts against the same step in one: what is in the optimiser afterwards, and what a failure leaves. */
import { afterAll, describe, expect, it } from 'vitest';
import { TrainingError } from '#wave/base/errors.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { StepSettings, TrainingProgram, TrainingStep } from '#wave/engine/types.js';
import { expectClose } from '../support/close.js';
import { ADAMW, entries, given, spec, testEngine } from '../support/engine.js';
import { uniform } from '../support/pure-weights.js';

const engine = testEngine();
afterAll(() => engine.dispose());

const PARAMETERS = { w: given([3, 5], uniform('w', 15)), b: given([3], uniform('b', 3)) };
const ROWS = 12;
const X = uniform('x', ROWS * 5);

/** Mean over rows of a loss that is not quadratic, so that gradients of parts differ. */
const program = (rows: number): TrainingProgram => ({
  inputs: new Map([['x', spec([rows, 5])]]),
  run({ parameters, inputs }) {
    const y = tf.add(
      tf.matMul(inputs.get('x') as Tensor, parameters.get('w') as Tensor, false, true),
      parameters.get('b') as Tensor,
    );
    return { loss: tf.mean(tf.exp(tf.square(y))) as Scalar, outputs: new Map([['y', y]]) };
  },
});

const open = async (rows: number) => {
  const state = await engine.createState(
    entries(PARAMETERS, () => ({ weightDecay: 0.1 })),
    ADAMW,
  );
  return { state, step: await engine.compileTraining(program(rows), state) };
};

const rowsOf = (part: number, rows: number) => new Map([['x', X.slice(part * rows * 5, (part + 1) * rows * 5)]]);

/** One step in `parts` parts; the losses of all. */
async function inParts(step: TrainingStep, parts: number, settings: StepSettings) {
  const rows = ROWS / parts;
  const losses: number[] = [];
  for (let part = 0; part < parts - 1; part++) {
    losses.push((await step.accumulate?.(rowsOf(part, rows)))?.loss ?? Number.NaN);
  }
  const last = await step.run(rowsOf(parts - 1, rows), settings);
  return { last, loss: [...losses, last.loss].reduce((sum, loss) => sum + loss, 0) / parts };
}

describe('a step in parts', () => {
  it.each([
    [2, {}],
    [3, { clipNorm: 0.5 }],
    [4, {}],
    [12, { clipNorm: 0.5 }],
  ])('of %d gives the mean gradient, and the step, of one over all rows, settings %o', async (parts, more) => {
    const settings = { learningRate: 0.01, ...more };
    const [whole, own] = [await open(ROWS), await open(ROWS / parts)];
    for (let i = 0; i < 3; i++) {
      const expected = await whole.step.run(rowsOf(0, ROWS), settings);
      const { last, loss } = await inParts(own.step, parts, settings);
      expect(loss).toBeCloseTo(expected.loss, 5);
      if (expected.gradientNorm !== undefined) {
        expect((last.gradientNorm ?? 0) / expected.gradientNorm).toBeCloseTo(1, 5);
      }
    }
    const [moments, expected] = [await own.state.readOptimiser(), await whole.state.readOptimiser()];
    expect(moments.step).toBe(3);
    const values = await own.state.read();
    for (const [name, reference] of await whole.state.read()) {
      const of = (which: 'first' | 'second') => [moments[which].get(name), expected[which].get(name) ?? []] as const;
      expectClose(`first moment of ${name}`, ...of('first'), { relative: 1e-5 });
      expectClose(`second moment of ${name}`, ...of('second'), { relative: 1e-5 });
      expectClose(name, values.get(name), reference, { absolute: 1e-5 });
    }
  });

  it('changes nothing before the last, and leaves nothing for the next step', async () => {
    const [one, other] = [await open(4), await open(4)];
    const before = await one.state.read();
    await one.step.accumulate?.(rowsOf(0, 4));
    expect(await one.state.read()).toEqual(before);
    expect((await one.state.readOptimiser()).step).toBe(0);
    const settings = { learningRate: 0.01 };
    await one.step.run(rowsOf(1, 4), settings);
    await other.step.accumulate?.(rowsOf(0, 4));
    await other.step.run(rowsOf(1, 4), settings);
    // From here on whole steps: what the parts have left would show.
    const fresh = await open(4);
    await fresh.state.write(await one.state.read());
    await fresh.state.writeOptimiser(await one.state.readOptimiser());
    for (const { step } of [other, fresh]) await step.run(rowsOf(2, 4), settings);
    expect(await other.state.read()).toEqual(await fresh.state.read());
  });

  it('that diverges is forgotten with all before it', async () => {
    const [broken, fresh] = [await open(4), await open(4)];
    await broken.step.accumulate?.(rowsOf(0, 4));
    const failed = broken.step.accumulate?.(new Map([['x', new Float32Array(20).fill(1e10)]]));
    await expect(failed).rejects.toThrow(TrainingError);
    await expect(failed).rejects.toThrow(/^loss is Infinity: training diverged/);
    for (const { step } of [broken, fresh]) await step.run(rowsOf(1, 4), { learningRate: 0.01 });
    expect(await broken.state.read()).toEqual(await fresh.state.read());
  });
});
