/** Random templates and scalers: the start of a distillation without a closed form, and the paper's start of a target. */
import { createRng } from '../base/rng.js';
import { elementCount } from '../base/shape.js';
import { isNorm } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';
import { type KindShape, kindShapes, SCALERS, TEMPLATES, type TemplateLayout } from './bank.js';
import type { NamedValues } from './inherit-host.js';

/** Deviation of template entries, so that weights begin with DeiT's deviation of 0.02. */
const TEMPLATE_STD = 0.02;

/**
 * Templates to begin with: normal of deviation 0.02; those of norm scales around 1, so that the norm begins as one.
 *
 * @returns `templates.KIND`
 */
export function randomTemplates(model: ModelSpec, layout: TemplateLayout, seed: number): Map<string, Float32Array> {
  return new Map(
    kindShapes(model, layout).map(({ kind, count, template }) => {
      const rng = createRng(seed, 'templates', kind.name);
      const centre = isNormScale(kind.name) ? 1 : 0;
      const values = new Float32Array(count * elementCount(template));
      for (let i = 0; i < values.length; i++) values[i] = centre + TEMPLATE_STD * rng.normal();
      return [TEMPLATES + kind.name, values];
    }),
  );
}

/** Scalers to take the scale from. */
export interface ScalersOf {
  readonly model: ModelSpec;
  /** `scalers.KIND` */
  readonly values: NamedValues;
}

/**
 * Scalers to begin with. Of a kind they are normal with the root mean square of `like`, or `1 / sqrt(count)` without it;
 * those of norm scales are not random but, for each template, the mean of `like`, or `1 / count`.
 *
 * @param like the auxiliary model
 * @returns `scalers.KIND` of the target
 */
export function randomScalers(
  target: ModelSpec,
  layout: TemplateLayout,
  seed: number,
  like?: ScalersOf,
): Map<string, Float32Array> {
  const shapes = like && kindShapes(like.model, layout);
  return new Map(
    kindShapes(target, layout).map((shape, i) => {
      const name = SCALERS + shape.kind.name;
      const source = shapes && { shape: shapes[i] as KindShape, values: like?.values.get(name) as Float32Array };
      return [name, isNormScale(shape.kind.name) ? meanScalers(shape, source) : normalScalers(shape, seed, source)];
    }),
  );
}

interface Source {
  readonly shape: KindShape;
  readonly values: Float32Array;
}

function normalScalers({ kind, layers, count, scaler }: KindShape, seed: number, source?: Source): Float32Array {
  const values = new Float32Array(layers * count * elementCount(scaler));
  const rng = createRng(seed, 'scalers', kind.name);
  const deviation = source ? rootMeanSquare(source.values) : 1 / Math.sqrt(count);
  for (let i = 0; i < values.length; i++) values[i] = deviation * rng.normal();
  return values;
}

function meanScalers({ layers, count, scaler }: KindShape, source?: Source): Float32Array {
  const values = new Float32Array(layers * count * elementCount(scaler));
  const means = source ? templateMeans(source) : new Array<number>(count).fill(1 / count);
  const entries = elementCount(scaler);
  for (let i = 0; i < values.length; i++) values[i] = means[Math.floor(i / entries) % count] as number;
  return values;
}

/** Mean scaler of each template over layers and blocks. */
function templateMeans({ shape: { layers, count, scaler }, values }: Source): number[] {
  const entries = elementCount(scaler);
  const means = new Array<number>(count).fill(0);
  values.forEach((value, i) => {
    const template = Math.floor(i / entries) % count;
    means[template] = (means[template] as number) + value / (layers * entries);
  });
  return means;
}

function rootMeanSquare(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}

/** Whether a kind is the scale of a layer norm. */
function isNormScale(kind: string): boolean {
  return isNorm(kind) && kind.endsWith('.weight');
}
