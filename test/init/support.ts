/** Small models and banks to initialise from. */
import { join } from 'node:path';
import { sha256File } from '#wave/checkpoint/index.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { saveModel } from '#wave/model/save.js';
import type { ModelSpec } from '#wave/model/spec.js';
import { saveScalers, saveTemplates, scalerShapes, type TemplateLayout, templateShapes } from '#wave/wave/index.js';
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

const LINEAGE = {
  command: 'wave test',
  configSha256: '0',
  parents: [],
  seed: 0,
  engine: 'ort/cpu',
  toolVersion: '0.0.0',
  date: '2026-01-02T03:04:05Z',
};

/** Files of a bank and of its ancestor. */
export interface BankFiles {
  readonly ancestor: string;
  readonly templates: string;
  readonly scalers: string;
}

/** Writes them into a folder that is there. */
export async function saveBank(dir: string, layout: TemplateLayout = LAYOUT): Promise<BankFiles> {
  const { bank, templates, scalers } = bankInputs(layout);
  const path = (name: string) => join(dir, `${name}.safetensors`);
  const files = { ancestor: path('ancestor'), templates: path('templates'), scalers: path('scalers') };
  await saveModel(files.ancestor, { spec: ANCESTOR, values: ancestorInputs().values, lineage: LINEAGE });
  await saveTemplates(files.templates, { spec: bank, values: templates, lineage: LINEAGE });
  const spec = { ...bank, templates_sha256: await sha256File(files.templates) };
  await saveScalers(files.scalers, { spec, values: scalers.values, lineage: LINEAGE });
  return files;
}
