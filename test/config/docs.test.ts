import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { engineSchema } from '#wave/config/engine-schema.js';
import { dataSchema, jsonSchema, loadConfig } from '#wave/config/index.js';
import { modelSchema } from '#wave/model/config.js';
import { PRESETS } from '#wave/model/presets.js';
import { distillSchema } from '#wave/stages/distill.js';
import {
  auxiliarySchema,
  ceSchema,
  distillBlockSchema,
  fitKdSchema,
  kdSchema,
  templatesSchema,
} from '#wave/stages/distill-config.js';
import { finetuneSchema } from '#wave/stages/finetune.js';
import { fitSchema } from '#wave/stages/fit.js';
import { onnxSchema } from '#wave/stages/onnx-config.js';
import { pretrainSchema } from '#wave/stages/pretrain.js';
import { evalSchema } from '#wave/stages/schemas.js';
import { finetuneFields, modelTrainFields, trainFields, trainSchema } from '#wave/train/index.js';

const text = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

/** Dotted paths of all settings in a JSON Schema. */
function leaves(schema: z.core.JSONSchema.BaseSchema, path: string[] = []): string[] {
  const object = [schema, ...(schema.anyOf ?? [])].find((option) => typeof option === 'object' && option.properties);
  if (typeof object !== 'object') return [path.join('.')];
  return Object.entries(object.properties ?? {}).flatMap(([key, inner]) =>
    typeof inner === 'object' && key !== 'extends' ? leaves(inner, [...path, key]) : [],
  );
}

/** Keys and default cells of the first table in the section with a heading. */
function rowsOf(heading: string): { readonly keys: readonly string[]; readonly defaults: string }[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const table = /(?:^\|.*\n)+/m.exec(section)?.[0] ?? '';
  return [...table.matchAll(/^\| (`.*?) \|(.*?)\|/gm)].map(([, cell, second]) => {
    const keys = cell.replaceAll('`', '').split(',');
    // A cell that begins in words, such as "required", tells no default.
    const defaults = second.trim().startsWith('`') ? second : '';
    return { keys: keys.map((key) => key.trim()), defaults };
  });
}

/** What a block has beside the keys of another one. */
function beside(fields: z.ZodObject, base: z.ZodObject) {
  return z.strictObject(Object.fromEntries(Object.entries(fields.shape).filter(([key]) => !(key in base.shape))));
}

/** Some keys of the `train:` block of a stage. */
function pick(stage: { readonly shape: { readonly train: z.ZodType } }, keys: readonly string[]) {
  const block = stage.shape.train as z.ZodPrefault<z.ZodObject>;
  return z.strictObject(Object.fromEntries(keys.map((key) => [key, block.unwrap().shape[key] as z.ZodType])));
}

/** Heading of each block, its schema, and the least it needs to have all keys. */
const BLOCKS = [
  ['The `data:` block', dataSchema, { source: 'synthetic' }],
  ['The `model:` block', modelSchema, {}],
  ['The `train:` block', trainSchema, { epochs: 1 }],
  ['The `train:` block of `pretrain` and `finetune`', beside(modelTrainFields, trainFields), { ema: {} }],
  ['The `train:` block of `finetune`', beside(finetuneFields, modelTrainFields), {}],
  ['The `train:` block of `distill`', pick(distillSchema, ['lr', 'weight_decay']), {}],
  ['The `train:` block of `fit`', pick(fitSchema, ['lr', 'weight_decay']), {}],
  ['The `templates:` block', templatesSchema, {}],
  ['The `auxiliary:` block', auxiliarySchema, {}],
  ['The `distill:` block', distillBlockSchema, {}],
  ['The `kd:` block', kdSchema, {}],
  ['The `kd:` block of `fit`', z.strictObject({ weight: fitKdSchema.shape.weight }), {}],
  ['The `ce:` block', ceSchema, {}],
  ['The `onnx:` block', onnxSchema, {}],
  ['The `eval:` block', evalSchema, {}],
  ['The `engine:` block', engineSchema, {}],
] as const;

describe('docs/configuration.md', () => {
  it.each(BLOCKS)('describes every key under "%s" and no other', (heading, schema) => {
    const documented = rowsOf(heading).flatMap(({ keys }) => keys);
    expect(documented.sort()).toEqual(leaves(jsonSchema(schema)).sort());
  });

  it.each(BLOCKS)('tells the defaults under "%s"', (heading, schema, least) => {
    const config: unknown = schema.parse(least);
    const told = rowsOf(heading).flatMap(({ keys, defaults }) => {
      const values = [...defaults.matchAll(/`([^`]+)`/g)].map(([, value]) => parse(value) as unknown);
      return values.length === 0 ? [] : keys.map((key, i) => [key, values.length === 1 ? values[0] : values[i]]);
    });
    const lookUp = (path: string) =>
      path.split('.').reduce((value, key) => (value as Record<string, unknown>)[key], config);
    expect(told.length).toBeGreaterThan(0);
    expect(told).toEqual(told.map(([key]) => [key, lookUp(String(key))]));
  });

  it('has a section for every key at the top', () => {
    const isThere = (key: string) =>
      text.includes(`\n## The \`${key}:\` block\n`) || text.includes(`\n## The \`${key}\` key\n`);
    const keys = [pretrainSchema, distillSchema, fitSchema, finetuneSchema].flatMap(({ shape }) => Object.keys(shape));
    expect(keys.filter((key) => !isThere(key))).toEqual([]);
  });

  it('lists the presets with their sizes', () => {
    const rows = [...text.matchAll(/^\| `((?:deit|vit)-[\w-]+)` +\|([\d |]+)\|$/gm)].map(([, name, cells]) => {
      const [image, patch, depth, width, heads] = cells.split('|').map(Number);
      return [name, { image, patch, depth, width, heads }];
    });
    const presets = Object.entries(PRESETS).map(([name, { channels: _, ...sizes }]) => [name, sizes]);
    expect(rows).toEqual(presets);
  });

  it('shows a data: block that loads', () => {
    const blocks = [...text.matchAll(/```yaml\n(data:[\s\S]*?)```/g)].map(([, block]) => block);
    expect(blocks).toHaveLength(1);
    const { data } = loadConfig({ schema: z.strictObject({ data: dataSchema }), text: blocks[0] });
    expect(data).toMatchObject(parse(blocks[0]).data);
  });
});
