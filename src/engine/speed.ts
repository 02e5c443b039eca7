/** How fast an engine is at what a training step of a ViT mostly is: the products of its MLP. */
import { createRng } from '../base/rng.js';
import { type Tensor, tf } from './tf.js';
import type { Engine, InferenceProgram, StateEntry } from './types.js';

/** Those of DeiT-small. */
const WIDTH = 384;
const HIDDEN = 1536;
/** A first look, so that a driver in software does not hold the user up, and the size that is measured. */
const FIRST_LOOK: Size = { rows: 32, layers: 1 };
const MEASURED: Size = { rows: 1024, layers: 4 };
/** What the first look finds to be slower than this is not measured any closer. Operations per second. */
const TOO_SLOW = 5e9;
/** Runs of which the fastest counts; and the time after which no further one is begun, milliseconds. */
const RUNS = 5;
const LONG_ENOUGH = 500;

/** Rows that go through so many layers `x W1 W2`. */
interface Size {
  readonly rows: number;
  readonly layers: number;
}

/**
 * Times matrix products in float32, transfer of the first operand included. The weights lie where the engine keeps them.
 *
 * @returns floating-point operations per second
 * @throws EngineError when the device does not work
 */
export async function productSpeed(engine: Engine): Promise<number> {
  const entries = new Map([
    ['up', weights([WIDTH, HIDDEN])],
    ['down', weights([HIDDEN, WIDTH])],
  ]);
  const state = await engine.createState(entries, { beta1: 0, beta2: 0, epsilon: 1 });
  const speedAt = async ({ rows, layers }: Size): Promise<number> => {
    const step = await engine.compileInference(program(rows, layers), state, { frozen: true });
    const operations = 2 * rows * WIDTH * HIDDEN * 2 * layers;
    let fastest = Number.POSITIVE_INFINITY;
    let spent = 0;
    // The first run compiles shaders and sets memory aside.
    for (let run = -1; run < RUNS && spent < LONG_ENOUGH; run++) {
      const inputs = new Map([['x', new Float32Array(rows * WIDTH).fill(1)]]);
      const start = performance.now();
      await step.run(inputs);
      const milliseconds = performance.now() - start;
      if (run < 0) continue;
      fastest = Math.min(fastest, milliseconds);
      spent += milliseconds;
    }
    await step.dispose();
    return (1000 * operations) / fastest;
  };
  try {
    const first = await speedAt(FIRST_LOOK);
    return first < TOO_SLOW ? first : await speedAt(MEASURED);
  } finally {
    await state.dispose();
  }
}

/** Random numbers of which products keep their size. */
function weights(shape: readonly [number, number]): StateEntry {
  const rng = createRng(0);
  const scale = Math.sqrt(12 / shape[0]);
  const values = Float32Array.from({ length: shape[0] * shape[1] }, () => scale * (rng.uniform() - 0.5));
  return {
    spec: { shape, dtype: 'float32' },
    values,
    rule: { trained: false, weightDecay: 0, learningRateScale: 1 },
  };
}

function program(rows: number, layers: number): InferenceProgram {
  return {
    inputs: new Map([['x', { shape: [rows, WIDTH], dtype: 'float32' }]]),
    run: ({ parameters, inputs }) => {
      const [up, down] = [parameters.get('up') as Tensor, parameters.get('down') as Tensor];
      let x = inputs.get('x') as Tensor;
      for (let layer = 0; layer < layers; layer++) x = tf.matMul(tf.matMul(x, up), down);
      // One row: reading all of them would be timed as well.
      return new Map([['y', tf.sum(x, 0)]]);
    },
  };
}
