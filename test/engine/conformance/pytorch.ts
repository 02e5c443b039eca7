/** Logits, loss and every gradient of the model against PyTorch, on cases of two implementations. */
import { describe, expect, it } from 'vitest';
import { type Scalar, type Tensor, tf } from '#wave/engine/tf.js';
import type { Engine, TrainingProgram } from '#wave/engine/types.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { geometry, type ModelSpec } from '#wave/model/spec.js';
import { LOGITS, PATCHES, TARGETS, trainingProgram } from '#wave/train/program.js';
import { type Case, oneHot, patchesOf, specOf, stateOf, tensorFixture, tokensFirst } from '../../model/support.js';
import { expectClose } from '../../support/close.js';
import * as pure from '../../support/pure-weights.js';

const GRADIENT = { relative: 1e-4, absolute: 1e-5 };

/** The part of the fused bias that shifts all keys alike: softmax does not see it, so its gradient is zero. */
const keyBias = (gradient: Float32Array): Float32Array =>
  gradient.slice(gradient.length / 3, (2 * gradient.length) / 3);

async function gradientsOf(
  engine: Engine,
  program: TrainingProgram,
  model: ModelSpec,
  values: ReadonlyMap<string, Float32Array>,
  fed: Map<string, Float32Array>,
) {
  const state = await stateOf(engine, model, values);
  const step = await engine.compileTraining(program, state);
  const result = await step.gradients(fed);
  await step.dispose();
  await state.dispose();
  return result;
}

/** Names of tensors that the other implementation calls differently; shapes differ by axes of size one. */
const otherName = (name: string): string => name.replace('patch_embed.proj.', 'patch_embed.');

/** Mean over the batch of KL(teacher || student), in plain tfjs ops. */
function divergence(logits: Tensor, teacher: Tensor): Scalar {
  const target = tf.logSoftmax(teacher);
  const rows = tf.sum(tf.mul(tf.exp(target), tf.sub(target, tf.logSoftmax(logits))), -1);
  return tf.mean(rows) as Scalar;
}

/** Defines the tests; `engine` gives one that tells gradients. */
export function describePyTorch(engine: () => Engine): void {
  describe.each([0, 1, 2])('PyTorch case %i', (number) => {
    it('gives the same logits, loss and gradients', async () => {
      const { tensors, metadata } = await tensorFixture(`pytorch-${number}.safetensors`);
      const sizes = JSON.parse(metadata.get('case') as string) as Case;
      const { batch, classes, channels, image } = sizes;
      const model = specOf(sizes);
      const images = pure.normalSized('images', batch * channels * image ** 2);
      const result = await gradientsOf(
        engine(),
        trainingProgram(model, batch, { dropPath: false }),
        model,
        pure.parameters(parameterShapes(model)),
        new Map([
          [PATCHES, patchesOf(images, model, batch)],
          [TARGETS, oneHot(pure.labels('labels', batch, classes), classes)],
        ]),
      );
      expectClose('logits', result.outputs.get(LOGITS), tensors.get('logits') as Float32Array, GRADIENT);
      expectClose('loss', [result.loss], tensors.get('loss') as Float32Array, GRADIENT);
      const names = [...tensors.keys()].filter((name) => name.startsWith('gradient.'));
      expect(names.map((name) => name.slice('gradient.'.length)).sort()).toEqual([...result.gradients.keys()].sort());
      for (const [name, gradient] of result.gradients) {
        expectClose(name, gradient, tensors.get(`gradient.${name}`) as Float32Array, GRADIENT);
        if (name.endsWith('attn.qkv.bias')) {
          expectClose(`${name}, keys`, keyBias(gradient), new Float32Array(model.width), { absolute: 1e-5 });
        }
      }
    });
  });

  describe.each([0, 1, 2])('independent case %i', (number) => {
    it('gives the same logits, losses and gradients of cross-entropy and divergence', async () => {
      const { tensors, metadata } = await tensorFixture(`independent-${number}.safetensors`);
      const stored = JSON.parse(metadata.get('case') as string) as Record<string, number>;
      const sizes = {
        width: stored.D,
        depth: stored.L,
        heads: stored.heads,
        classes: stored.classes,
        batch: stored.B,
        // A patch of one row of pixels per channel stands for a patch vector of any length.
        channels: stored.patch_dim,
        patch: 1,
        image: Math.sqrt(stored.tokens - 1),
      };
      const model = specOf(sizes);
      const { batch, classes } = sizes;
      const values = new Map(
        [...parameterShapes(model).keys()].map((name) => [
          name,
          tensors.get(`param.${otherName(name)}`) as Float32Array,
        ]),
      );
      const base = trainingProgram(model, batch, { dropPath: false });
      const program: TrainingProgram = {
        inputs: new Map([...base.inputs, ['teacher', { shape: [batch, classes], dtype: 'float32' }]]),
        run(given) {
          const { loss, outputs } = base.run(given);
          const kl = divergence(outputs.get(LOGITS) as Tensor, given.inputs.get('teacher') as Tensor);
          return { loss: tf.add(loss, kl) as Scalar, outputs: new Map([...outputs, ['ce', loss], ['kl', kl]]) };
        },
      };
      const { patches } = geometry(model);
      const result = await gradientsOf(
        engine(),
        program,
        model,
        values,
        new Map([
          [PATCHES, tokensFirst(tensors.get('input') as Float32Array, batch, patches)],
          [TARGETS, oneHot([...(tensors.get('labels') as Float32Array)], classes)],
          ['teacher', (tensors.get('teacher_logits') as Float32Array).slice()],
        ]),
      );
      expectClose('logits', result.outputs.get(LOGITS), tensors.get('logits') as Float32Array, GRADIENT);
      expectClose('cross-entropy', result.outputs.get('ce'), tensors.get('loss.ce') as Float32Array, GRADIENT);
      expectClose('divergence', result.outputs.get('kl'), tensors.get('loss.kl') as Float32Array, GRADIENT);
      expect(result.gradients.size).toBe(values.size);
      for (const [name, gradient] of result.gradients) {
        const expected = tensors.get(`grad.param.${otherName(name)}`) as Float32Array;
        expectClose(name, gradient, expected, GRADIENT);
      }
    });
  });
}
