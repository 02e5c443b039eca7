/** Weights from templates and scalers on the host, tensor by tensor, for a checkpoint. */
import { elementCount } from '../base/shape.js';
import { collect, type Fill } from '../model/fill.js';
import type { ModelSpec } from '../model/spec.js';
import { isSplit, type KindShape, kindShapes, OWN, SCALERS, TEMPLATES, type TemplateLayout } from './bank.js';
import type { NamedValues } from './inherit-host.js';
import { type Axis, isHead, kindName } from './kinds.js';
import { type AxisBlocks, axisBlocks, place } from './offsets.js';
import { OuterSum } from './outer-sum.js';

/**
 * All parameters of a model by timm name, as `materialise` makes them in the standard arrangement.
 *
 * @param tensors `templates.KIND` and `scalers.KIND`; `own.head.*` where the head is given as it is
 */
export function materialiseValues(
  model: ModelSpec,
  layout: TemplateLayout,
  tensors: NamedValues,
): Map<string, Float32Array> {
  return collect(model, materialiser(model, layout, tensors));
}

/** The same tensor by tensor. */
export function materialiser(model: ModelSpec, layout: TemplateLayout, tensors: NamedValues): Fill {
  const plans = new Map(
    kindShapes(model, layout).map((shape) => [shape.kind.name, { shape, rows: rowsOf(shape, layout) }]),
  );
  const sizes = [...plans.values()].map(({ shape: { count, template, scaler }, rows }) => {
    return count * (elementCount(template) + elementCount(scaler)) + rows.length;
  });
  const kernel = new OuterSum(Math.max(...sizes));
  return (name, out) => {
    const kind = kindName(name);
    const own = isHead(kind) ? tensors.get(OWN + kind) : undefined;
    if (own) {
      out.set(own);
      return;
    }
    const { shape, rows } = plans.get(kind) as { shape: KindShape; rows: Rows };
    const layer = shape.kind.perBlock ? Number(name.split('.')[1]) : 0;
    const perLayer = shape.count * elementCount(shape.scaler);
    const scalers = (tensors.get(SCALERS + kind) as Float32Array).subarray(layer * perLayer, (layer + 1) * perLayer);
    kernel.load(tensors.get(TEMPLATES + kind) as Float32Array, scalers);
    writeRows(kernel, shape, rows, out);
  };
}

/**
 * A tensor as rows: each is the outer product of one run of the template and one of the scaler, summed over templates.
 * Fixed axes that follow each other count as one, so that a tensor has a last axis and at most one before it.
 */
interface Rows {
  readonly first: AxisBlocks;
  readonly last: AxisBlocks;
  /** Numbers in one row: the last axis, or one of its groups. */
  readonly length: number;
  readonly order: 'template-outer' | 'scaler-outer';
}

/** An axis that is not split, or none. */
const TRIVIAL: AxisBlocks = { size: 1, blocks: 1, groups: 1, blockwise: true };

function rowsOf({ kind, template, blocks }: KindShape, layout: TemplateLayout): Rows {
  const axes: AxisBlocks[] = [];
  let wasFixed = false;
  kind.axes.forEach((axis: Axis, i) => {
    const size = template[i];
    if (isSplit(axis)) {
      axes.push(axisBlocks(axis, size, blocks, layout));
    } else if (wasFixed) {
      axes.push({ ...TRIVIAL, size: size * (axes.pop()?.size ?? 1) });
    } else {
      axes.push({ ...TRIVIAL, size });
    }
    wasFixed = !isSplit(axis);
  });
  const [last = TRIVIAL, first = TRIVIAL, ...more] = axes.reverse();
  if (more.length > 0) throw new Error(`internal: ${kind.name} has more than two axes of blocks`);
  const length = (last.size / last.groups) * last.blocks;
  return { first, last, length, order: last.blockwise ? 'scaler-outer' : 'template-outer' };
}

function writeRows(kernel: OuterSum, { count, scaler, template }: KindShape, rows: Rows, out: Float32Array): void {
  const { first, last, length, order } = rows;
  const size = elementCount(template);
  const entries = elementCount(scaler);
  const run = last.size / last.groups;
  const rowLength = length * last.groups;
  for (let i = 0; i < first.size; i++) {
    for (let block = 0; block < first.blocks; block++) {
      const given = { start: block * last.blocks, stride: entries, length: last.blocks };
      for (let group = 0; group < last.groups; group++) {
        const templates = { start: i * last.size + group * run, stride: size, length: run };
        out.set(kernel.row(templates, given, count, order), place(first, i, block) * rowLength + group * length);
      }
    }
  }
}
