/**
 * What is particular to engine tensorflow: it computes in this process, beside others, and frees by itself what it makes.
 * That it computes the right thing, the conformance suite tests.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '#wave/engine/create.js';
import { native, onTensorflow } from '#wave/engine/tensorflow/library.js';
import { readable } from '#wave/engine/tensorflow/said.js';
import { Scratch } from '#wave/engine/tensorflow/scratch.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, TrainingProgram } from '#wave/engine/types.js';
import { initialise } from '#wave/model/initialise.js';
import * as ops from '#wave/ops/index.js';
import {
  inferenceProgram,
  LOGITS,
  modelEntries,
  PATCHES,
  smoothedTargets,
  TARGETS,
  trainingProgram,
} from '#wave/train/index.js';
import { specOf, TINY } from '../../model/support.js';
import { ADAMW, testEngine } from '../../support/engine.js';
import { tryTarget } from '../conformance/target.js';

const BATCH = 4;
const SETTINGS = { learningRate: 1e-3, clipNorm: 1 };
const { present, told } = await tryTarget('tensorflow/cpu');
if (!present) process.stdout.write(`engine tensorflow: its tests are skipped, tensorflow/cpu is ${told}\n`);

const spec = specOf(TINY);
const initial = initialise(spec, 0);

function batch(seed: number) {
  const { shape } = trainingProgram(spec, BATCH, { dropPath: false }).inputs.get(PATCHES) ?? { shape: [] };
  const count = shape.reduce((product, size) => product * size, 1);
  const targets = smoothedTargets(
    Int32Array.from({ length: BATCH }, (_, i) => (i + seed) % spec.classes),
    spec.classes,
    0.1,
  );
  return new Map([
    [PATCHES, Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed))],
    [TARGETS, targets],
  ]);
}

async function opened(engine: Engine) {
  const state = await engine.createState(modelEntries(spec, initial, { trained: true, weightDecay: 0.05 }), ADAMW);
  const step = await engine.compileTraining(trainingProgram(spec, BATCH, { dropPath: false }), state);
  const forward = await engine.compileInference(inferenceProgram(spec, BATCH), state, { frozen: false });
  return { state, step, forward };
}

/** Tensors of tfjs's, and those of TensorFlow's own, kernels' constants included. */
const counts = () => ({
  tensors: tf.memory().numTensors,
  native: (native() as unknown as { binding: { getNumOfTensors: () => number } }).binding.getNumOfTensors(),
});

describe.skipIf(!present)('engine tensorflow', () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine({ name: 'tensorflow', device: 'cpu', threads: 2 });
  });
  afterAll(() => engine.dispose());

  it('keeps nothing of a step, whatever becomes of it', async () => {
    const { step, forward, state } = await opened(engine);
    const all = async (seed: number) => {
      await step.run(batch(seed), SETTINGS);
      await step.accumulate?.(batch(seed));
      await step.run(batch(seed + 1), { learningRate: 1e-3 });
      await step.gradients(batch(seed));
      await forward.run(new Map([...batch(seed)].slice(0, 1)));
      const broken = batch(seed);
      broken.get(PATCHES)?.fill(Number.NaN);
      await expect(step.run(broken, SETTINGS)).rejects.toThrow(/^loss is NaN/);
      await state.write(await state.read());
      await state.writeOptimiser(await state.readOptimiser());
    };
    await all(0);
    const before = counts();
    for (let i = 1; i < 6; i++) await all(i);
    expect(counts()).toEqual(before);
  });

  describe('a program', () => {
    const w = { spec: { shape: [2], dtype: 'float32' as const }, values: Float32Array.of(1, 2) };
    const rule = { trained: true, weightDecay: 0, learningRateScale: 1 };
    const entries = new Map([
      ['w', { ...w, rule }],
      ['unused', { ...w, rule: { ...rule, trained: false } }],
    ]);
    const compiled = async (run: TrainingProgram['run'], given = entries) => {
      const state = await engine.createState(given, ADAMW);
      return { state, step: await engine.compileTraining({ inputs: new Map(), run }, state) };
    };
    const squared: TrainingProgram['run'] = ({ parameters }) => {
      const y = ops.gelu(tf.square(parameters.get('w') as Tensor));
      return { loss: tf.sum(tf.square(y)), outputs: new Map([['y', y]]) };
    };
    /** Runs a step that has to fail, again and again. */
    const failing = async (run: TrainingProgram['run'], reason: RegExp, given = entries) => {
      const { state, step } = await compiled(run, given);
      const all = async () => expect(step.run(new Map(), SETTINGS)).rejects.toThrow(reason);
      await all();
      const before = counts();
      for (let i = 0; i < 3; i++) await all();
      expect(counts()).toEqual(before);
      await state.dispose();
    };

    it('that throws leaves nothing behind', async () => {
      await failing((given) => {
        squared(given);
        throw new Error('of its own');
      }, /^of its own$/);
    });

    it('whose loss has no gradient, or is no number, leaves nothing behind', async () => {
      const trained = new Map([...entries].map(([name, entry]) => [name, { ...entry, rule }]));
      await failing(squared, /^the loss does not depend on parameter unused/, trained);
      await failing(
        (given) => ({ ...squared(given), loss: given.parameters.get('w') as Scalar }),
        /^the loss must be one/,
      );
    });

    it('that an operator refuses says so in one line', async () => {
      await failing((given) => {
        const scratch = new Scratch();
        try {
          scratch.add(scratch.given([2], new Float32Array(2)), scratch.given([3], new Float32Array(3)));
        } finally {
          scratch.free();
        }
        return squared(given);
      }, /^engine tensorflow: .*Incompatible shapes: \[2\] vs\. \[3\].*$/);
    });

    it('may give back a parameter', async () => {
      const { step, state } = await compiled(({ parameters }) => {
        const parameter = parameters.get('w') as Tensor;
        return { loss: tf.sum(tf.square(parameter)), outputs: new Map([['w', parameter]]) };
      });
      const { outputs } = await step.run(new Map(), SETTINGS);
      expect([...(outputs.get('w') ?? [])]).toEqual([1, 2]);
      await state.dispose();
    });
  });

  it('keeps a bounded number of shapes for those who use tfjs beside it', () => {
    onTensorflow(() => {
      const before = counts().native;
      for (let i = 1; i < 3000; i++) {
        tf.tidy(() => {
          const integers = tf.reshape(tf.ones([i], 'int32'), [1, i]);
          expect(integers.dtype).toBe('int32');
          expect(tf.reshape(tf.ones([i]), [1, i]).shape).toEqual([1, i]);
        });
      }
      expect(counts().native - before).toBeLessThan(2100);
    });
  });

  it('says what to do where memory is short', () => {
    const error = readable(new Error('Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[9]'));
    expect((error as Error).message).toBe(
      'engine tensorflow: OOM when allocating tensor with shape[9]: out of memory, take smaller batches or a smaller model',
    );
  });

  it('frees a value at once that is used for the last time', () => {
    onTensorflow(() => {
      const scratch = new Scratch();
      const given = scratch.given([2], Float32Array.of(1, 2));
      const before = counts().native;
      const square = scratch.plain('Square', given);
      const sum = scratch.add(scratch.last(square), given);
      expect(counts().native).toBe(before + 1);
      expect(native().binding.tensorDataSync(sum.id)).toEqual(Float32Array.of(2, 6));
      scratch.free();
      expect(counts().native).toBe(before - 1);
    });
  });

  it('frees everything when it is disposed of, and says so when it is used again', async () => {
    const other = await createEngine({ name: 'tensorflow', device: 'cpu', threads: 2 });
    await opened(other).then(({ step }) => step.run(batch(0), SETTINGS));
    const before = counts();
    const third = await createEngine({ name: 'tensorflow', device: 'cpu', threads: 2 });
    const { state, step, forward } = await opened(third);
    await third.compileInference(inferenceProgram(spec, BATCH), state, { frozen: true });
    expect(counts().native).toBeGreaterThan(before.native);
    await third.dispose();
    expect(counts()).toEqual(before);
    await expect(state.read()).rejects.toThrow(/^internal: the state was disposed of$/);
    await expect(step.run(batch(0), SETTINGS)).rejects.toThrow(/^internal: the state was disposed of$/);
    await expect(forward.run(batch(0))).rejects.toThrow(/^internal: the state was disposed of$/);
    await expect(opened(third)).rejects.toThrow(/^internal: the engine was disposed of$/);
    await other.dispose();
  });

  it('computes in turns with another engine in the same process', async () => {
    const alone = await opened(engine);
    const expected: number[] = [];
    for (let i = 0; i < 4; i++) expected.push((await alone.step.run(batch(i), SETTINGS)).loss);
    const ort = testEngine();
    const [own, others] = [await opened(engine), await opened(ort)];
    for (let i = 0; i < 4; i++) {
      // A program is traced for the other one while this one runs.
      const traced = ort.compileInference(inferenceProgram(spec, BATCH + i), others.state, { frozen: true });
      const [mine, theirs] = await Promise.all([own.step.run(batch(i), SETTINGS), others.step.run(batch(i), SETTINGS)]);
      await (await traced).dispose();
      expect(mine.loss).toBe(expected[i]);
      expect(Math.abs(mine.loss - theirs.loss)).toBeLessThan(1e-4);
    }
    await ort.dispose();
  });

  it('lets the event loop go on between steps, and works in the order it is asked in', async () => {
    const { step, state, forward } = await opened(engine);
    const done: string[] = [];
    const note = (what: string) => () => void done.push(what);
    await Promise.all([
      step.run(batch(0), SETTINGS).then(note('first')),
      state.read().then(note('read')),
      step.run(batch(1), SETTINGS).then(note('second')),
      forward.run(new Map([...batch(0)].slice(0, 1))).then((outputs) => done.push([...outputs.keys()].join())),
    ]);
    expect(done).toEqual(['first', 'read', 'second', LOGITS]);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    for (let i = 0; i < 5; i++) await step.run(batch(i), SETTINGS);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  it('stays with the device and the threads of its first use', async () => {
    const again = await createEngine({ name: 'tensorflow', device: 'cpu', threads: 1 });
    expect(again.threads).toBe(engine.threads);
    const gpu = createEngine({ name: 'tensorflow', device: 'gpu', threads: null });
    await expect(gpu).rejects.toThrow(
      /^engine tensorflow computes on one device for as long as the process lives, and that is cpu: start another process for gpu$/,
    );
  });
});
