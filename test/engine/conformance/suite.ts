/**
 * What an engine on a device has to do, the same for all of them. Each is tested in a file of its own, which vitest runs in a
 * process of its own: a driver that crashes takes no other tests with it, and no two libraries fight for a GPU.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, ProgramTensors } from '#wave/engine/types.js';
import { ADAMW, spec } from '../../support/engine.js';
import { testState } from '../../support/state-suite.js';
import { describeKernels } from './kernels.js';
import { describeOps } from './ops.js';
import { describePyTorch } from './pytorch.js';
import { describeStages } from './stages.js';
import { engineOn, gradientEngineOn, REFERENCE, tryTarget } from './target.js';
import { describeTimm } from './timm.js';
import { describeTraining } from './training.js';

/** Defines all tests of `name`, `ort/webgpu` for example. */
export async function describeConformance(name: string): Promise<void> {
  const { target, present, required, told, slow } = await tryTarget(name);
  if (required) {
    it(`${name} is there`, () => expect(present, told).toBe(true));
  }
  // Reporters do not show the names of what was skipped as a whole.
  if (!present) process.stdout.write(`conformance: ${name} is skipped, it is ${told}\n`);
  describe.skipIf(!present)(present ? name : `${name} (${told})`, () => {
    // As long as one program is open, drivers keep the shaders that they have compiled; tests open and close many.
    const held = opened(() => engineOn(target));
    beforeAll(() => keepOpen(held()));
    describe('an engine that tells gradients', () => {
      const engine = opened(() => gradientEngineOn(target));
      describeOps(engine);
      if (name !== REFERENCE) describeKernels(engine, name);
      describePyTorch(engine);
    });
    describe('an engine as commands make it', () => {
      const engine = opened(() => engineOn(target));
      const reference = opened(() => engineOn({ engine: 'ort', device: 'cpu' }));
      describeTimm(engine, slow);
      describeTraining(engine, reference, slow);
      if (name !== REFERENCE) describe('a state', () => testState(engine));
    });
    describeStages(target);
  });
}

/** An engine for all tests of a group. */
function opened(make: () => Promise<Engine>): () => Engine {
  let engine: Engine;
  beforeAll(async () => {
    engine = await make();
  });
  afterAll(() => engine.dispose());
  return () => engine;
}

/** Compiles the least that can be compiled, and leaves it so. */
async function keepOpen(engine: Engine): Promise<void> {
  const state = await engine.createState(new Map(), ADAMW);
  const program = {
    inputs: new Map([['x', spec([1])]]),
    run: ({ inputs }: ProgramTensors) => new Map([['y', tf.neg(inputs.get('x') as Tensor)]]),
  };
  await engine.compileInference(program, state, { frozen: false });
}
