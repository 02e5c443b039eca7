/** A state that stays on the device: steps come and go, and memory does not grow. The rest, test/engine/conformance shows. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { TrainingProgram } from '#wave/engine/types.js';
import { expectClose } from '../support/close.js';
import { ADAMW, entries, given, testEngine } from '../support/engine.js';
import { inputs, newState, PROGRAM, SETTINGS } from '../support/state-suite.js';
import { needsWebgpu } from '../support/webgpu.js';

const gpu = createOrtEngine({ device: 'webgpu', threads: 1 });
const cpu = testEngine();
afterAll(() => Promise.all([gpu.dispose(), cpu.dispose()]));
beforeEach(({ skip }) => needsWebgpu(skip));

const SQUARES: TrainingProgram = {
  inputs: new Map(),
  run: ({ parameters }) => ({ loss: tf.sum(tf.square(parameters.get('w') as Tensor)) as Scalar, outputs: new Map() }),
};

describe('a state that stays on the device', () => {
  it('learns what one in memory learns', async () => {
    const [there, here] = [await newState(gpu), await newState(cpu)];
    const [fast, slow] = [await gpu.compileTraining(PROGRAM, there), await cpu.compileTraining(PROGRAM, here)];
    for (let i = 0; i < 20; i++) {
      const [a, b] = [await fast.run(inputs(), SETTINGS), await slow.run(inputs(), SETTINGS)];
      expectClose(`loss ${i}`, [a.loss], [b.loss], { relative: 1e-5 });
    }
    for (const [name, values] of await here.read()) {
      expectClose(name, (await there.read()).get(name), values, { absolute: 1e-5 });
    }
  });

  it('outlives the steps that have written it, and goes on with others', async () => {
    const state = await newState(gpu);
    const first = await gpu.compileTraining(PROGRAM, state);
    await first.run(inputs(), SETTINGS);
    await first.dispose();
    const values = await state.read();
    const second = await gpu.compileTraining(PROGRAM, state);
    const third = await gpu.compileTraining(PROGRAM, state);
    await second.run(inputs(), SETTINGS);
    await third.run(inputs(), SETTINGS);
    expect((await state.readOptimiser()).step).toBe(3);
    expect((await state.read()).get('w')).not.toEqual(values.get('w'));
    await state.dispose();
    await second.dispose();
  });

  it('takes the same memory after many steps', async () => {
    const count = 300_000;
    const big = { w: given([count / 100, 100], new Float32Array(count).fill(0.1)) };
    const state = await gpu.createState(entries(big), ADAMW);
    const step = await gpu.compileTraining(SQUARES, state);
    const run = async (steps: number) => {
      for (let i = 0; i < steps; i++) await step.run(new Map(), { learningRate: 1e-3 });
      return process.memoryUsage().rss;
    };
    const [before, after] = [await run(20), await run(100)];
    // One step's tensors are 3.6 MB: were they kept, it would be 360 MB.
    expect(after - before).toBeLessThan(40e6);
  });
});
