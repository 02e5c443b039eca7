/**
 * Closed-form start of a distillation: the templates and scalers whose sum of Kronecker products is nearest to the
 * weights of a ViT ancestor. The entries of a weight `W(l)` are put in a matrix of template entries by scaler entries,
 * in which a Kronecker product has rank one (Van Loan & Pitsianis 1993); the layers stand side by side, so that they
 * share the templates, and a truncated singular value decomposition gives the nearest sum in Frobenius norm.
 */
import { ModelError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import type { ModelSpec } from '../model/spec.js';
import {
  checkLayout,
  type KindShape,
  kindShapes,
  SCALERS,
  TEMPLATES,
  type TemplateLayout,
  templateShapes,
} from './bank.js';
import { inheritScalers, type NamedValues } from './inherit-host.js';
import { parameterName } from './kinds.js';
import { entryOffsets } from './offsets.js';
import { randomTemplates } from './random.js';
import { type DenseMatrix, squaredSum, truncatedSvd } from './truncated-svd.js';

/** Templates and scalers, and how near they come. */
export interface ClosedForm {
  /** `templates.KIND` and `scalers.KIND` */
  readonly values: Map<string, Float32Array>;
  /** By kind: Frobenius norm of what is not reproduced over that of all its weights; 0 where these are zero. */
  readonly errors: Map<string, number>;
}

/**
 * Templates and scalers nearest to an ancestor's weights, at the ancestor's own size. Each singular value is split
 * evenly between template and scaler. Templates beyond the rank of a kind have scalers of zero and are random, so that
 * training can make use of them.
 *
 * @param ancestor its width a multiple of the template width
 * @param weights the ancestor's parameters by timm name
 * @param seed of the random parts
 * @throws ModelError when the template width does not divide the ancestor, or a weight is not a finite number.
 */
export function closedForm(ancestor: ModelSpec, weights: NamedValues, layout: TemplateLayout, seed = 0): ClosedForm {
  checkLayout(ancestor, layout, 'ancestor');
  checkFinite(weights);
  const values = randomTemplates(ancestor, layout, seed);
  const errors = new Map<string, number>();
  for (const shape of kindShapes(ancestor, layout)) {
    const { name } = shape.kind;
    const templates = values.get(TEMPLATES + name) as Float32Array;
    const { scalers, error } = decomposeKind(shape, rearranged(shape, layout, weights), templates, seed);
    values.set(SCALERS + name, scalers);
    errors.set(name, error);
  }
  return { values, errors };
}

/**
 * The closed form for an auxiliary model of any size: templates as for the ancestor's own size, scalers inherited from
 * there.
 *
 * @returns values of the auxiliary model; errors are those at the ancestor's size
 * @throws ModelError when the template width does not divide the ancestor, or the two models differ in more than depth,
 * width, heads and hidden.
 */
export function closedFormFor(
  auxiliary: ModelSpec,
  ancestor: ModelSpec,
  weights: NamedValues,
  layout: TemplateLayout,
  seed = 0,
): ClosedForm {
  checkSameTemplates(auxiliary, ancestor, layout);
  const { values, errors } = closedForm(ancestor, weights, layout, seed);
  for (const [name, scalers] of inheritScalers(ancestor, auxiliary, layout, values)) values.set(name, scalers);
  return { values, errors };
}

/**
 * Checks what `closedFormFor` needs, without making anything.
 *
 * @throws ModelError as `closedFormFor`.
 */
export function checkClosedForm(
  auxiliary: ModelSpec,
  ancestor: ModelSpec,
  weights: NamedValues,
  layout: TemplateLayout,
): void {
  checkSameTemplates(auxiliary, ancestor, layout);
  checkFinite(weights);
}

/** @throws ModelError naming the first weight that is not a finite number. */
function checkFinite(weights: NamedValues): void {
  for (const [name, values] of weights) {
    if (Number.isFinite(squaredSum(values))) continue;
    throw new ModelError(
      `closed-form start: ${name} of the ancestor is not finite; use an ancestor that was trained well`,
    );
  }
}

/** @throws ModelError when the layout does not fit the ancestor, or naming the first kind whose templates differ. */
function checkSameTemplates(auxiliary: ModelSpec, ancestor: ModelSpec, layout: TemplateLayout): void {
  checkLayout(ancestor, layout, 'ancestor');
  const [own, given] = [templateShapes(auxiliary, layout), templateShapes(ancestor, layout)];
  for (const name of new Set([...own.keys(), ...given.keys()])) {
    const [expected, found] = [own.get(name), given.get(name)].map((shape) => shape?.slice(1).join(', '));
    if (expected === found) continue;
    const kind = name.slice(TEMPLATES.length);
    const describe = (shape: string | undefined): string => (shape === undefined ? 'none' : `[${shape}]`);
    throw new ModelError(
      `closed-form start: a template of ${kind} is ${describe(found)} for the ancestor and ${describe(expected)} for ` +
        'the auxiliary model; give both the same image, patch, tokens, classes and MLP ratio, or start from random templates',
    );
  }
}

/** `[template entries, layers * scaler entries]`: the matrix in which every Kronecker product has rank one. */
function rearranged(shape: KindShape, layout: TemplateLayout, weights: NamedValues): DenseMatrix {
  const [rows, entries] = [elementCount(shape.template), elementCount(shape.scaler)];
  const columns = shape.layers * entries;
  const data = new Float32Array(rows * columns);
  for (let layer = 0; layer < shape.layers; layer++) {
    const weight = weights.get(parameterName(shape.kind, layer)) as Float32Array;
    for (let entry = 0; entry < entries; entry++) {
      const offsets = entryOffsets(shape, layout, entry);
      let place = layer * entries + entry;
      for (const base of offsets.rows) {
        for (const offset of offsets.columns) {
          data[place] = weight[base + offset] as number;
          place += columns;
        }
      }
    }
  }
  return { rows, columns, data };
}

/** Writes the templates of one kind over random ones; returns its scalers and the error of both together. */
function decomposeKind(
  { layers, count, scaler }: KindShape,
  matrix: DenseMatrix,
  templates: Float32Array,
  seed: number,
): { scalers: Float32Array; error: number } {
  const total = squaredSum(matrix.data);
  const entries = elementCount(scaler);
  const scalers = new Float32Array(layers * count * entries);
  const { values, left, right } = truncatedSvd(matrix, count, seed);
  values.forEach((value, t) => {
    const share = Math.sqrt(value);
    (left[t] as Float64Array).forEach((x, i) => {
      templates[t * matrix.rows + i] = share * x;
    });
    (right[t] as Float64Array).forEach((x, column) => {
      scalers[(Math.floor(column / entries) * count + t) * entries + (column % entries)] = share * x;
    });
  });
  return { scalers, error: relativeError(total, squaredSum(values)) };
}

/** What singular triples leave of a matrix, as a part of its Frobenius norm; both given as sums of squares. */
function relativeError(total: number, captured: number): number {
  return total === 0 ? 0 : Math.sqrt(Math.max(0, 1 - captured / total));
}
