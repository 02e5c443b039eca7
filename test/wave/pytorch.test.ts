/** Models made of templates: logits, losses and every gradient against PyTorch, on cases of two implementations. */
import { afterAll, describe, expect, it } from 'vitest';
import type { ModelSpec } from '#wave/model/spec.js';
import { LOGITS, PATCHES, TARGETS } from '#wave/train/program.js';
import {
  type KindShape,
  kindShapes,
  SCALERS,
  scalerShapes,
  TEMPLATES,
  type TemplateLayout,
  templateShapes,
} from '#wave/wave/bank.js';
import { materialiseValues } from '#wave/wave/materialise-host.js';
import { ANCESTOR, CE, KD, type TemplateTrainingOptions, templateTrainingProgram } from '#wave/wave/program.js';
import { oneHot, patchesOf, specOf, tensorFixture, tokensFirst } from '../model/support.js';
import { expectClose } from '../support/close.js';
import { type Given, given, testEngine } from '../support/engine.js';
import * as pure from '../support/pure-weights.js';
import { fixture, gradientsOf, parts } from './support.js';

const TOLERANCE = { relative: 1e-4, absolute: 1e-5 };
const engine = testEngine();
afterAll(() => engine.dispose());

interface Case
  extends Record<'width' | 'depth' | 'heads' | 'image' | 'patch' | 'channels' | 'classes' | 'batch', number> {
  readonly template: number;
  readonly count: number;
  readonly small_count: number;
  readonly kronecker: TemplateLayout['kronecker'];
  readonly kd: NonNullable<TemplateTrainingOptions['kd']>;
  readonly ce_weight: number;
  readonly auxiliary?: Omit<Case, 'auxiliary'>;
  /** Whether there is a distillation token, and how many register tokens. */
  readonly distilled?: boolean;
  readonly registers?: number;
}

const read = (name: string) => tensorFixture(name, fixture(name));

/** Rows of `values` with 1 at their largest entry and 0 elsewhere. */
function decisions(values: Float32Array, classes: number): Float32Array {
  const rows = Array.from({ length: values.length / classes }, (_, i) => values.slice(i * classes, (i + 1) * classes));
  return oneHot(
    rows.map((row) => row.indexOf(Math.max(...row))),
    classes,
  );
}

const modelOf = (sizes: Case): ModelSpec =>
  specOf(sizes, { distillation_token: sizes.distilled ?? false, register_tokens: sizes.registers ?? 0 });

describe.each([0, 1, 2, 3, 4, 5, 6, 7])('PyTorch case %i', (number) => {
  it('gives the same logits, losses and gradients of every template and scaler', async () => {
    const { tensors, metadata } = await read(`pytorch-${number}.safetensors`);
    const sizes = JSON.parse(metadata.get('case') as string) as Case;
    const { batch, classes, channels, image, template, count, small_count, kronecker, kd } = sizes;
    const model = modelOf(sizes);
    const auxiliary = sizes.auxiliary && modelOf(sizes.auxiliary);
    const layout = { width: template, count, small_count, kronecker };
    const images = pure.normalSized('images', batch * channels * image ** 2);
    const ancestor = pure.normalSized('ancestor', batch * classes);
    const result = await gradientsOf(
      engine,
      templateTrainingProgram(
        { model, layout, ...(auxiliary && { auxiliary }) },
        { batch, dropPath: false, ceWeight: sizes.ce_weight, kd },
      ),
      parts(auxiliary ?? model, layout),
      {
        [PATCHES]: given([], patchesOf(images, model, batch)),
        [TARGETS]: given([], oneHot(pure.labels('labels', batch, classes), classes)),
        [ANCESTOR]: given([], kd.target === 'hard' ? decisions(ancestor, classes) : ancestor),
      },
    );
    const expected = (name: string) => tensors.get(name) as Float32Array;
    expectClose('logits', result.outputs.get(LOGITS), expected('logits'), TOLERANCE);
    expectClose('cross-entropy', result.outputs.get(CE), expected('ce'), TOLERANCE);
    expectClose('distillation', result.outputs.get(KD), expected('kd'), TOLERANCE);
    const loss = sizes.ce_weight * expected('ce')[0] + kd.weight * expected('kd')[0];
    expectClose('loss', [result.loss], [loss], TOLERANCE);
    expectGradients(result.gradients, (name) => expected(`gradient.${name}`));
    expect(tensors.size).toBe(result.gradients.size + 3);
  });
});

function expectGradients(gradients: ReadonlyMap<string, Float32Array>, expected: (name: string) => Float32Array): void {
  for (const [name, gradient] of gradients) expectClose(name, gradient, expected(name), TOLERANCE);
}

/** Names of kinds and parameters in the other implementation. */
const otherKind = (kind: string): string => kind.replace('blocks.', '').replace('patch_embed.proj.', 'patch_embed.');
const otherName = (kind: string, layer: number): string =>
  kind.startsWith('blocks.') ? `blocks.${layer}.${otherKind(kind)}` : otherKind(kind);

/** What the other implementation keeps tensor by tensor, `[count, ...scaler]`, layer after layer. */
function stacked(
  tensors: ReadonlyMap<string, Float32Array>,
  prefix: string,
  { kind, layers }: KindShape,
): Float32Array {
  const each = Array.from({ length: layers }, (_, l) => tensors.get(prefix + otherName(kind.name, l)) as Float32Array);
  return Float32Array.from(each.flatMap((values) => [...values]));
}

describe.each([0, 1, 2])('independent case %i', (number) => {
  it('gives the same weights, logits, losses and gradients of every template and scaler', async () => {
    const { tensors, metadata } = await read(`independent-${number}.safetensors`);
    const stored = JSON.parse(metadata.get('case') as string) as Record<string, number>;
    const model: ModelSpec = specOf({
      width: stored.D,
      depth: stored.L,
      heads: stored.heads,
      classes: stored.classes,
      // A patch of one row of pixels per channel stands for a patch vector of any length.
      channels: stored.patch_dim,
      patch: 1,
      image: Math.sqrt(stored.tokens - 1),
    });
    const layout: TemplateLayout = {
      width: stored.w,
      count: stored.N,
      small_count: Math.max(1, Math.floor(stored.N / 4)),
      kronecker: 'template-outer',
    };
    const { B: batch, classes } = stored;
    const of = (prefix: string) => ({
      templates: ({ kind }: KindShape) => tensors.get(`${prefix}template.${otherKind(kind.name)}`) as Float32Array,
      scalers: (shape: KindShape) => stacked(tensors, `${prefix}scaler.`, shape),
    });
    const bank = parts(model, layout, of('').templates, of('').scalers);

    const weights = materialiseValues(
      model,
      layout,
      new Map(Object.entries(bank).map(([n, { values }]) => [n, values])),
    );
    const kept = [...tensors.keys()].filter((name) => name.startsWith('param.'));
    expect(kept.length).toBe(4);
    for (const [name, values] of weights) {
      const other = tensors.get(`param.${otherName(name, 0)}`);
      if (other) expectClose(name, values, other, { relative: 1e-6 });
    }

    const result = await gradientsOf(
      engine,
      templateTrainingProgram(
        { model, layout },
        {
          batch,
          dropPath: false,
          ceWeight: 1,
          kd: { weight: 1, temperature: 1, reduction: 'batchmean', target: 'soft' },
        },
      ),
      bank,
      {
        [PATCHES]: given([], tokensFirst(tensors.get('input') as Float32Array, batch, stored.tokens - 1)),
        [TARGETS]: given([], oneHot([...(tensors.get('labels') as Float32Array)], classes)),
        [ANCESTOR]: given([], tensors.get('teacher_logits') as Float32Array),
      } satisfies Record<string, Given>,
    );
    expectClose('logits', result.outputs.get(LOGITS), tensors.get('logits') as Float32Array, TOLERANCE);
    expectClose('cross-entropy', result.outputs.get(CE), tensors.get('loss.ce') as Float32Array, TOLERANCE);
    expectClose('divergence', result.outputs.get(KD), tensors.get('loss.kl') as Float32Array, TOLERANCE);
    const gradients = new Map<string, Float32Array>();
    for (const shape of kindShapes(model, layout)) {
      gradients.set(TEMPLATES + shape.kind.name, of('grad.').templates(shape));
      gradients.set(SCALERS + shape.kind.name, of('grad.').scalers(shape));
    }
    expect([...result.gradients.keys()].sort()).toEqual(
      [...templateShapes(model, layout).keys(), ...scalerShapes(model, layout).keys()].sort(),
    );
    expectGradients(result.gradients, (name) => gradients.get(name) as Float32Array);
  });
});
