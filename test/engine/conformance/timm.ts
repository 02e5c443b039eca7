/** Logits of full-size models and of complete small checkpoints against timm. */
import { describe, it } from 'vitest';
import type { Engine } from '#wave/engine/types.js';
import { loadModel } from '#wave/model/load.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { inferenceProgram, LOGITS, PATCHES } from '#wave/train/program.js';
import { fixture, patchesOf, stateOf, tensorFixture } from '../../model/support.js';
import { TIMM_MODELS } from '../../model/timm-models.js';
import { expectClose } from '../../support/close.js';
import * as pure from '../../support/pure-weights.js';

const BATCH = 2;

/**
 * Defines the tests.
 *
 * @param slow leaves the full-size models out
 */
export function describeTimm(engine: () => Engine, slow: boolean): void {
  describe('the logits of timm', () => {
    it.for(TIMM_MODELS)('%s', async ([name, model], { skip }) => {
      const { tensors } = await tensorFixture('timm-logits.safetensors');
      const full = model.image[0] === 224;
      skip(slow && full, 'the driver computes on the CPU');
      const values = full
        ? pure.parameters(parameterShapes(model))
        : (await loadModel(fixture(`timm-small-${name}.safetensors`), { heads: 3 })).values;
      const state = await stateOf(engine(), model, values);
      const step = await engine().compileInference(inferenceProgram(model, BATCH), state, { frozen: true });
      const images = pure.normalSized('images', BATCH * 3 * model.image[0] ** 2);
      const outputs = await step.run(new Map([[PATCHES, patchesOf(images, model, BATCH)]]));
      expectClose('logits', outputs.get(LOGITS), tensors.get(name) as Float32Array, { relative: 1e-4, absolute: 1e-4 });
      await step.dispose();
      await state.dispose();
    });
  });
}
