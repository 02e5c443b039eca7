/** Small models and banks to initialise from. */
import { parameterShapes } from '#wave/model/parameters.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { scalerShapes, type TemplateLayout, templateShapes } from '#wave/wave/index.js';
import { specOf } from '../model/support.js';
import * as pure from '../support/pure-weights.js';

/** The ancestor of the fixtures: head size 4, 5 classes, images of 8 x 8 with one channel. */
export const ANCESTOR: ModelSpec = {
  ...specOf({ width: 24, depth: 3, heads: 6, image: 8, patch: 4, channels: 1, classes: 5 }),
  preprocess: { mean: [0.1], std: [0.3] },
  labels: ['a', 'b', 'c', 'd', 'e'],
};

export const ancestorInputs = (model: ModelSpec = ANCESTOR) =>
  ({ need: 'ancestor', model, values: pure.parameters(parameterShapes(model)) }) as const;

export const LAYOUT: TemplateLayout = { width: 8, count: 3, small_count: 2, kronecker: 'template-outer' };

const filled = (shapes: ReadonlyMap<string, readonly number[]>) =>
  new Map(
    [...shapes].map(([name, shape]) => [
      name,
      pure.uniform(
        name,
        shape.reduce((product, n) => product * n, 1),
      ),
    ]),
  );

/** Templates of the model above as auxiliary model, and its scalers. */
export function bankInputs(layout: TemplateLayout = LAYOUT) {
  return {
    need: 'templates',
    model: ANCESTOR,
    bank: { model: ANCESTOR, templates: layout },
    templates: filled(templateShapes(ANCESTOR, layout)),
    scalers: { model: ANCESTOR, values: filled(scalerShapes(ANCESTOR, layout)) },
  } as const;
}
