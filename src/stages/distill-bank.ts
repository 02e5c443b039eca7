/** The bank of a distillation: what it is like, and how it is written. */
import { rm } from 'node:fs/promises';
import type { z } from 'zod';
import { ConfigError, WaveError } from '../base/errors.js';
import { explainIoError } from '../base/io-error.js';
import { type Lineage, sha256File } from '../checkpoint/index.js';
import type { DataConfig } from '../config/index.js';
import type { Dataset } from '../data/index.js';
import { preprocessFor } from '../model/preprocess.js';
import type { ModelSpec } from '../model/spec.js';
import { type BankSpec, type NamedValues, saveScalers, saveTemplates } from '../wave/index.js';
import {
  type auxiliarySchema,
  referenceModel,
  resolveAuxiliary,
  resolveLayout,
  type templatesSchema,
} from './distill-config.js';
import type { RunFolder } from './run-folder.js';

/** What of the settings decides what the bank is like. */
export interface BankConfig {
  readonly templates: z.output<typeof templatesSchema>;
  readonly auxiliary: z.output<typeof auxiliarySchema>;
  readonly data: Pick<DataConfig, 'mean' | 'std'>;
}

/**
 * @param vit the ancestor, if it is a ViT
 * @throws ConfigError when the bank cannot be made in these sizes, or the ancestor sees other patches.
 */
export function bankFor(
  { templates, auxiliary, data }: BankConfig,
  vit: ModelSpec | undefined,
  images: Dataset,
): BankSpec {
  const { channels, source, image } = images;
  const facts = { channels, classes: source.classes, image };
  const reference = vit ?? referenceModel(auxiliary, facts);
  if (auxiliary.patch !== null && auxiliary.patch !== reference.patch) {
    throw new ConfigError(
      `auxiliary.patch: ${auxiliary.patch}, but the ancestor has patches of ${reference.patch}, and both see the same; ` +
        'leave it out',
    );
  }
  const layout = resolveLayout(templates, reference);
  const preprocess = preprocessFor(data.mean, data.std, channels);
  return { model: resolveAuxiliary(auxiliary, reference, layout, preprocess), templates: layout };
}

/**
 * Templates first: scalers name them by their hash, so scalers mean that both are whole. Those of an earlier run go
 * before, since they would belong to no templates.
 */
export async function writeBank(
  folder: RunFolder,
  { model, templates: layout }: BankSpec,
  values: NamedValues,
  lineage: () => Lineage,
): Promise<void> {
  try {
    await rm(folder.scalers, { force: true });
  } catch (error) {
    throw new WaveError(`${folder.scalers}: cannot be replaced: ${explainIoError(error)}`, 1, { cause: error });
  }
  await saveTemplates(folder.templates, { spec: { model, templates: layout }, values, lineage: lineage() });
  const sha256 = await sha256File(folder.templates);
  const spec = { model, templates: layout, templates_sha256: sha256 };
  const own = lineage();
  const parents = [...own.parents, { name: 'templates', sha256 }];
  await saveScalers(folder.scalers, { spec, values, lineage: { ...own, parents } });
}
