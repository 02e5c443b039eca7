/** Twenty steps of training with AdamW follow PyTorch's losses. */
import { expect, it } from 'vitest';
import { parameterShapes } from '#wave/model/parameters.js';
import { PATCHES, TARGETS, trainingProgram } from '#wave/train/program.js';
import { testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import { type Case, jsonFixture, oneHot, patchesOf, specOf, stateOf } from './support.js';

it('follows the losses of PyTorch with AdamW for twenty steps', async () => {
  const {
    case: sizes,
    batches,
    losses,
  } = jsonFixture<{ case: Case; batches: number; losses: number[] }>('training-curve.json');
  const { batch, classes } = sizes;
  const model = specOf(sizes);
  const engine = testEngine();
  const state = await stateOf(engine, model, pure.parameters(parameterShapes(model)), 0.05);
  const step = await engine.compileTraining(trainingProgram(model, batch, { dropPath: false }), state);
  const found: number[] = [];
  for (let i = 0; i < losses.length; i++) {
    const images = pure.normalSized(`images.${i % batches}`, batch * sizes.image ** 2);
    const inputs = new Map([
      [PATCHES, patchesOf(images, model, batch)],
      [TARGETS, oneHot(pure.labels(`labels.${i % batches}`, batch, classes), classes)],
    ]);
    found.push((await step.run(inputs, { learningRate: 1e-3 })).loss);
  }
  await engine.dispose();
  expect(found).toHaveLength(losses.length);
  expect(Math.max(...found.map((loss, i) => Math.abs(loss - losses[i])))).toBeLessThanOrEqual(1e-3);
  expect(found.at(-1)).toBeLessThan(found[0] / 2);
});
