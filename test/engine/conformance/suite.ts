/**
 * What an engine on a device has to do, the same for all of them. Each is tested in a file of its own, which vitest runs in a
 * process of its own: a driver that crashes takes no other tests with it, and no two libraries fight for a GPU.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '#wave/engine/types.js';
import { describeKernels } from './kernels.js';
import { describeOps } from './ops.js';
import { describePyTorch } from './pytorch.js';
import { describeStages } from './stages.js';
import { engineOn, gradientEngineOn, REFERENCE, tryTarget } from './target.js';
import { describeTimm } from './timm.js';
import { describeTraining } from './training.js';

/** Defines all tests of `name`, `ort/webgpu` for example. */
export async function describeConformance(name: string): Promise<void> {
  const { target, present, required, told } = await tryTarget(name);
  if (required) {
    it(`${name} is there`, () => expect(present, told).toBe(true));
  }
  describe.skipIf(!present)(present ? name : `${name} (${told})`, () => {
    describe('an engine that tells gradients', () => {
      const engine = opened(() => gradientEngineOn(target));
      describeOps(engine);
      if (name !== REFERENCE) describeKernels(engine);
      describePyTorch(engine);
    });
    describe('an engine as commands make it', () => {
      const engine = opened(() => engineOn(target));
      const reference = opened(() => engineOn({ engine: 'ort', device: 'cpu' }));
      describeTimm(engine);
      describeTraining(engine, reference);
    });
    describeStages(target);
  });
}

/** An engine for all tests of a group. */
function opened(make: () => Engine): () => Engine {
  let engine: Engine;
  beforeAll(() => {
    engine = make();
  });
  afterAll(() => engine.dispose());
  return () => engine;
}
