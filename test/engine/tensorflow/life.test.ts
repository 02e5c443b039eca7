/**
 * What is particular to engine tensorflow: it computes in this process, beside others, and frees by itself what it makes.
 * That it computes the right thing, the conformance suite tests.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine } from '#wave/engine/create.js';
import { native, PACKAGE } from '#wave/engine/tensorflow/library.js';
import { tf } from '#wave/engine/tf.js';
import type { Engine } from '#wave/engine/types.js';
import { initialise } from '#wave/model/initialise.js';
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

const require = createRequire(import.meta.url);
const BATCH = 4;
const SETTINGS = { learningRate: 1e-3, clipNorm: 1 };
const { present, told } = await tryTarget('tensorflow/cpu');
if (!present) process.stdout.write(`engine tensorflow: its tests are skipped, tensorflow/cpu is ${told}\n`);

/** Whether the setup script has built its part, which a library that comes with the package lacks. */
const shielded = present && existsSync(join(dirname(require.resolve(`${PACKAGE}/package.json`)), 'deps', 'wave.node'));

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

describe.skipIf(!present)('a process that starts engine tensorflow', () => {
  const start = async (args: string[], env: Record<string, string> = {}) => {
    const fixture = fileURLToPath(new URL('./fixtures/quiet-step.mjs', import.meta.url));
    const { TF_CPP_MIN_LOG_LEVEL: _, TF_NUM_INTRAOP_THREADS: __, ...inherited } = process.env;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [fixture, ...args], {
      env: { ...inherited, ...env },
    });
    return { said: JSON.parse(stdout), stderr };
  };

  it('says nothing, and hides GPUs from TensorFlow alone', async () => {
    const { said, stderr } = await start(['cpu', '1'], { CUDA_VISIBLE_DEVICES: '5' });
    expect(said).toEqual({ device: 'cpu', threads: 1, loss: 5, visible: '5' });
    expect(stderr).toBe('');
  });

  it.skipIf(!shielded)('takes signals in threads that do not compute', async () => {
    const fixture = fileURLToPath(new URL('./fixtures/signals.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [fixture]);
    const { blocked, heard } = JSON.parse(stdout);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGCHLD'] as const) {
      const bit = 1n << BigInt(constants.signals[name] - 1);
      expect(BigInt(`0x${blocked}`) & bit, name).toBe(bit);
    }
    expect(heard).toBe(1);
  });

  it("takes the threads of TensorFlow's own variable where none are named", async () => {
    expect((await start(['cpu'], { TF_NUM_INTRAOP_THREADS: '3' })).said.threads).toBe(3);
  });

  it('refuses a GPU that is not there in one line', async () => {
    const { said, stderr } = await start(['gpu'], { CUDA_VISIBLE_DEVICES: '-1' });
    expect(said.name).toBe('EngineError');
    expect(said.error).toMatch(
      /^engine tensorflow has no device gpu here, its library found cpu only: see docs\/engines\.md$/,
    );
    expect(stderr).toBe('');
  });
});
