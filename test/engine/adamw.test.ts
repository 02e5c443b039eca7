/** AdamW of both kinds, on the host and in the graph, against PyTorch's in float64. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import type { OptimiserPlace } from '#wave/engine/ort/worker-protocol.js';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { StateEntry, TrainingProgram } from '#wave/engine/types.js';
import { expectClose } from '../support/close.js';
import { spec } from '../support/engine.js';
import { uniform } from '../support/pure-weights.js';

interface Rule {
  readonly size: number;
  readonly weight_decay: number;
  readonly scale: number;
  readonly slope: number;
}

/** Written by scripts/fixtures/make-training-fixtures.py. */
interface Fixture {
  readonly rules: Record<string, Rule>;
  readonly learning_rates: number[];
  readonly runs: {
    readonly clip_norm: number | null;
    readonly losses: number[];
    readonly norms: number[];
    readonly parameters: Record<string, number[]>;
    readonly first: Record<string, number[]>;
    readonly second: Record<string, number[]>;
  }[];
}

const fixture: Fixture = JSON.parse(readFileSync(new URL('./fixtures/adamw.json', import.meta.url), 'utf8'));
const rules = Object.entries(fixture.rules);
const engines = new Map(
  (['host', 'graph'] as const).map((optimiser) => [optimiser, createOrtEngine({ threads: 1, optimiser })]),
);
afterAll(() => Promise.all([...engines.values()].map((engine) => engine.dispose())));

/** Sum over parameters of `slope / 2 * |p - target|^2`. */
const program: TrainingProgram = {
  inputs: new Map(rules.map(([name, { size }]) => [`${name}.target`, spec([size])])),
  run({ parameters, inputs }) {
    const terms = rules.map(([name, { slope }]) => {
      const distance = tf.sub(parameters.get(name) as Tensor, inputs.get(`${name}.target`) as Tensor);
      return tf.mul(tf.sum(tf.square(distance)), slope / 2);
    });
    return { loss: tf.addN(terms) as Scalar, outputs: new Map() };
  },
};

const state = new Map(
  rules.map(([name, { size, weight_decay, scale }]): [string, StateEntry] => [
    name,
    {
      spec: spec([size]),
      values: uniform(name, size),
      rule: { trained: true, weightDecay: weight_decay, learningRateScale: scale },
    },
  ]),
);

describe.each<OptimiserPlace>(['host', 'graph'])('AdamW in the %s', (place) => {
  it.each(fixture.runs)('follows PyTorch for fifty steps with gradients clipped to $clip_norm', async (expected) => {
    const engine = engines.get(place) as ReturnType<typeof createOrtEngine>;
    const own = await engine.createState(state, { beta1: 0.9, beta2: 0.95, epsilon: 1e-8 });
    const step = await engine.compileTraining(program, own);
    const losses: number[] = [];
    const norms: number[] = [];
    for (const [i, learningRate] of fixture.learning_rates.entries()) {
      const targets = new Map(
        rules.map(([name, { size }]) => [`${name}.target`, uniform(`${name}.target.${i}`, size)]),
      );
      const settings = expected.clip_norm === null ? {} : { clipNorm: expected.clip_norm };
      const result = await step.run(targets, { learningRate, ...settings });
      losses.push(result.loss);
      norms.push(result.gradientNorm ?? 0);
    }
    expectClose('losses', losses, expected.losses, { relative: 1e-6 });
    if (expected.clip_norm !== null) {
      expectClose('norms', norms, expected.norms, { relative: 1e-6 });
      expect(Math.min(...norms)).toBeGreaterThan(expected.clip_norm);
    }
    const parameters = await own.read();
    const { step: steps, first, second } = await own.readOptimiser();
    expect(steps).toBe(50);
    for (const [name] of rules) {
      expectClose(name, parameters.get(name), expected.parameters[name], { relative: 2e-5, absolute: 2e-5 });
      expectClose(`first moment of ${name}`, first.get(name), expected.first[name], { relative: 2e-5 });
      expectClose(`second moment of ${name}`, second.get(name), expected.second[name], { relative: 2e-5 });
    }
  });
});
