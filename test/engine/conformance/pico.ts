/** Three training steps of a pico ViT in which everything happens that a step can be asked for. */
import type { Engine, StateEntry } from '#wave/engine/types.js';
import { initialise } from '#wave/model/initialise.js';
import { isDecayed, parameterShapes } from '#wave/model/parameters.js';
import { DROP_PATH, inferenceProgram, LOGITS, PATCHES, TARGETS, trainingProgram } from '#wave/train/program.js';
import { specOf, TINY } from '../../model/support.js';

const BATCH = 3;
const STEPS = 3;
const model = specOf(TINY);

type Values = ReadonlyMap<string, Float32Array>;

/** What the steps gave, and what they left behind. */
export interface PicoOutcome {
  /** Loss and gradient norm of each step. */
  readonly losses: readonly number[];
  /** Steps that the optimiser counts. */
  readonly steps: number;
  /** Of the trained model, as `live` and as `frozen` program. */
  readonly logits: Values;
  readonly parameters: Values;
  readonly first: Values;
  readonly second: Values;
}

const curve = (length: number, phase: number) => Float32Array.from({ length }, (_, i) => Math.sin(1.7 * i + phase));
const patches = (phase: number) => curve(9 * BATCH * 12, phase);

/** Trains with drop path, clipping, weight decay and a parameter that is not trained. */
export async function trainPico(engine: Engine): Promise<PicoOutcome> {
  const values = initialise(model, 1);
  const entries = [...parameterShapes(model)].map(([name, shape]): [string, StateEntry] => {
    const weightDecay = isDecayed(name, shape) ? 0.05 : 0;
    const rule = { trained: name !== 'cls_token', weightDecay, learningRateScale: 1 };
    return [name, { spec: { shape, dtype: 'float32' }, values: values.get(name) as Float32Array, rule }];
  });
  const state = await engine.createState(new Map(entries), { beta1: 0.9, beta2: 0.999, epsilon: 1e-3 });
  const step = await engine.compileTraining(trainingProgram(model, BATCH, { dropPath: true }), state);
  const losses: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    const targets = Float32Array.from({ length: BATCH * 4 }, (_, k) => Number(k % 4 === (Math.floor(k / 4) + i) % 4));
    const inputs = new Map([
      [PATCHES, patches(i)],
      [TARGETS, targets],
      [DROP_PATH, Float32Array.from({ length: 4 * BATCH }, (_, k) => (k % 5 === i ? 0 : 1.25))],
    ]);
    const { loss, gradientNorm = Number.NaN } = await step.run(inputs, { learningRate: 0.01, clipNorm: 1 });
    losses.push(loss, gradientNorm);
  }
  await step.dispose();
  const logits = new Map<string, Float32Array>();
  for (const frozen of [false, true]) {
    const inference = await engine.compileInference(inferenceProgram(model, BATCH), state, { frozen });
    const outputs = await inference.run(new Map([[PATCHES, patches(7)]]));
    logits.set(frozen ? 'frozen' : 'live', outputs.get(LOGITS) as Float32Array);
    await inference.dispose();
  }
  const [parameters, { step: steps, first, second }] = [await state.read(), await state.readOptimiser()];
  await state.dispose();
  return { losses, steps, logits, parameters, first, second };
}
