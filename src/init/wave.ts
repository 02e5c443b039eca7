/**
 * WAVE: the target's scalers for a bank of templates. Inherited ones give a model that works at once; random ones are the
 * paper's and have to be fitted.
 */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import type { ModelSpec } from '../model/spec.js';
import { countNumbers, OWN, type TemplateLayout, templateShapes } from '../wave/bank.js';
import { inheritScalers } from '../wave/inherit-host.js';
import { materialiser } from '../wave/materialise-host.js';
import { randomScalers, type ScalersOf } from '../wave/random.js';
import { defineMethod } from './method.js';

const options = z.strictObject({
  start: z
    .enum(['inherit', 'random'])
    .default('inherit')
    .describe("scalers interpolated from the auxiliary model's, or random"),
});

export const wave = defineMethod({
  needs: 'templates',
  depth: 'any',
  width: 'any',
  options,
  paper: {
    title: 'WAVE: Weight Templates for Adaptive Initialization of Variable-sized Models',
    venue: 'CVPR 2025',
    url: 'https://arxiv.org/abs/2406.17503',
  },
  start({ bank, templates, scalers: known }, { target, seed }, { start }) {
    const layout = bank.templates;
    if (known) checkHead(known);
    const scalers = start === 'random' ? randomScalers(target, layout, seed, known) : inherited(layout, target, known);
    return {
      scalers,
      transferred: countNumbers(templateShapes(bank.model, layout)),
      fill: materialiser(target, layout, new Map([...templates, ...scalers])),
    };
  },
});

function inherited(layout: TemplateLayout, target: ModelSpec, from: ScalersOf | undefined) {
  if (from !== undefined) return inheritScalers(from.model, target, layout, from.values);
  throw new ConfigError("start inherit needs the auxiliary model's scalers; give --scalers, or choose start random");
}

/** @throws ConfigError when the scalers do without those of the head. */
function checkHead({ model, values }: ScalersOf): void {
  if (![...values.keys()].some((name) => name.startsWith(OWN))) return;
  throw new ConfigError(
    `the scalers belong to a model with a head of its own, for ${model.classes} classes, which no other model can ` +
      'inherit; give those that the distillation wrote',
  );
}
