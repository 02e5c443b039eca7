/** Training steps with AdamW: against PyTorch, and against the default engine on the CPU. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '#wave/engine/types.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { PATCHES, TARGETS, trainingProgram } from '#wave/train/program.js';
import { type Case, jsonFixture, oneHot, patchesOf, specOf, stateOf } from '../../model/support.js';
import { expectClose } from '../../support/close.js';
import * as pure from '../../support/pure-weights.js';
import { trainPico } from './pico.js';

/** On each of twenty steps, of which the last ones carry the differences of all before. */
const TOLERANCE = 1e-4;

/** Losses of a training in PyTorch. */
interface Curve {
  readonly case: Case;
  readonly rate: number;
  readonly batches: number;
  readonly losses: number[];
}
const CURVES = jsonFixture<Record<'small' | 'large', Curve>>('training-curves.json');

/** Losses of the same steps. */
async function train(engine: Engine, { case: sizes, rate, batches, losses }: Curve): Promise<number[]> {
  const { batch, classes } = sizes;
  const model = specOf(sizes);
  const state = await stateOf(engine, model, pure.parameters(parameterShapes(model)), 0.05);
  const step = await engine.compileTraining(trainingProgram(model, batch, { dropPath: false }), state);
  const found: number[] = [];
  for (let i = 0; i < losses.length; i++) {
    const images = pure.normalSized(`images.${i % batches}`, batch * sizes.image ** 2);
    const inputs = new Map([
      [PATCHES, patchesOf(images, model, batch)],
      [TARGETS, oneHot(pure.labels(`labels.${i % batches}`, batch, classes), classes)],
    ]);
    found.push((await step.run(inputs, { learningRate: rate })).loss);
  }
  await step.dispose();
  await state.dispose();
  return found;
}

/**
 * Defines the tests.
 *
 * @param reference gives the default engine on the CPU
 * @param slow leaves the larger model out
 */
export function describeTraining(engine: () => Engine, reference: () => Engine, slow: boolean): void {
  describe('training', () => {
    it.for(['small', 'large'] as const)(
      'has the losses of PyTorch for twenty steps, %s model',
      async (size, { skip }) => {
        skip(slow && size === 'large', 'the driver computes on the CPU');
        const curve = CURVES[size];
        const found = await train(engine(), curve);
        expect(found).toHaveLength(20);
        expectClose('losses', found, curve.losses, { absolute: TOLERANCE });
        expectClose('losses beside those of ort/cpu', found, await train(reference(), curve), { absolute: TOLERANCE });
        expect(found.at(-1)).toBeLessThan((found[0] as number) / 2);
      },
    );

    it('does drop path, clipping, weight decay and frozen parameters as ort/cpu does', async () => {
      const [own, other] = [await trainPico(engine()), await trainPico(reference())];
      expect(own.steps).toBe(other.steps);
      expectClose('losses and norms', own.losses, other.losses, { relative: 1e-5 });
      for (const kind of ['logits', 'parameters', 'first', 'second'] as const) {
        expect([...own[kind].keys()]).toEqual([...other[kind].keys()]);
        for (const [name, values] of other[kind]) {
          expectClose(`${kind} ${name}`, own[kind].get(name), values, { absolute: 1e-5 });
        }
      }
    });
  });
}
