/** What a method of initialisation starts from, read from the files that the user named for it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ConfigError } from '../base/errors.js';
import { artifactFile, type LineageParent } from '../checkpoint/index.js';
import type { Inputs, Need } from '../init/index.js';
import { ANCESTOR_HEADS_FLAG } from '../model/detect.js';
import { loadModel, loadModelSpec } from '../model/load.js';
import { checkTogether, type LoadedBank, type LoadedScalers, loadScalers, loadTemplates } from '../wave/artifacts.js';
import type { StageContext } from './context.js';
import { noteReading } from './reading-note.js';

/** Files given to `initTarget`. */
export interface InitFiles {
  /** A model of this suite, or a ViT checkpoint of timm or Hugging Face. */
  readonly ancestor?: string;
  /** Attention heads of the ancestor, for a checkpoint that does not say. */
  readonly ancestorHeads?: number;
  /** Here and below, a folder stands for the file of that name in it. */
  readonly templates?: string;
  /** The auxiliary model's; default: those beside the templates. */
  readonly scalers?: string;
}

/** Inputs with the files that they were read from. */
export interface LoadedInputs {
  readonly inputs: Inputs;
  readonly parents: readonly LineageParent[];
  /** SHA-256 of the templates, where the method starts from them. */
  readonly templatesSha256?: string;
}

/** Where a distillation that wrote these templates, or a folder with them, has put the auxiliary model's scalers. */
export function scalersBeside(templates: string): string {
  return join(dirname(artifactFile(templates, 'templates')), 'scalers.safetensors');
}

/**
 * The files that a method will read.
 *
 * @param method its name, for messages
 * @throws ConfigError when one is missing, or given to a method that does not read it.
 */
export function filesFor(method: string, need: Need, named: InitFiles): InitFiles {
  const files = {
    ...named,
    ...(named.templates !== undefined && { templates: artifactFile(named.templates, 'templates') }),
    ...(named.scalers !== undefined && { scalers: artifactFile(named.scalers, 'scalers') }),
  };
  const given = (['ancestor', 'templates', 'scalers'] as const).filter((role) => files[role] !== undefined);
  const refuse = (what: string) => {
    throw new ConfigError(`method ${method} ${what}`);
  };
  const useless = given.find((role) => !READ[need].includes(role));
  if (useless !== undefined) refuse(`starts from ${SOURCES[need]}; leave --${useless} out`);
  if (need === 'nothing') {
    if (given.length !== 1) {
      refuse(`takes images, patches and classes from a model: give one of --ancestor FILE and --templates FILE`);
    }
  } else if (files[need] === undefined) {
    refuse(`starts from ${SOURCES[need]}; give --${need} FILE`);
  }
  if (files.ancestorHeads !== undefined && files.ancestor === undefined) {
    refuse('has no ancestor here; leave --ancestor-heads out');
  }
  if (need !== 'templates' || files.templates === undefined || files.scalers !== undefined) return files;
  const beside = scalersBeside(files.templates);
  return existsSync(beside) ? { ...files, scalers: beside } : files;
}

const READ: Readonly<Record<Need, readonly string[]>> = {
  nothing: ['ancestor', 'templates'],
  ancestor: ['ancestor'],
  templates: ['templates', 'scalers'],
};
const SOURCES: Readonly<Record<Need, string>> = {
  nothing: 'random values',
  ancestor: 'a trained model',
  templates: 'a template bank',
};

/**
 * Reads them.
 *
 * @param files as {@link filesFor} gives them
 * @param context told how a checkpoint of another library was understood
 * @throws CheckpointError, ModelError; ConfigError when scalers belong to other templates.
 */
export async function loadInputs(
  need: Need,
  files: InitFiles,
  context: Pick<StageContext, 'emit'>,
): Promise<LoadedInputs> {
  const { ancestor, ancestorHeads, templates, scalers } = files;
  if (ancestor !== undefined) {
    const hints = { headsFlag: ANCESTOR_HEADS_FLAG, ...(ancestorHeads !== undefined && { heads: ancestorHeads }) };
    if (need === 'ancestor') {
      const loaded = await loadModel(ancestor, hints);
      noteReading(ancestor, loaded, context);
      const { spec, values, sha256 } = loaded;
      return { inputs: { need, model: spec, values }, parents: [{ name: 'ancestor', sha256 }] };
    }
    const loaded = await loadModelSpec(ancestor, hints);
    noteReading(ancestor, loaded, context);
    const { spec, sha256 } = loaded;
    return { inputs: { need: 'nothing', model: spec }, parents: [{ name: 'ancestor', sha256 }] };
  }
  if (templates === undefined) throw new TypeError('no file to start from');
  const bank = await loadTemplates(templates);
  const parents = [{ name: 'templates', sha256: bank.sha256 }];
  if (need !== 'templates') return { inputs: { need: 'nothing', model: bank.spec.model }, parents };
  const known = scalers === undefined ? undefined : await scalersOf(scalers, templates, bank);
  if (known !== undefined) parents.push({ name: 'scalers', sha256: known.sha256 });
  return { inputs: bankInputs(bank, known), parents, templatesSha256: bank.sha256 };
}

async function scalersOf(path: string, templates: string, bank: LoadedBank): Promise<LoadedScalers> {
  const scalers = await loadScalers(path);
  checkTogether({ path: templates, bank }, { path, scalers });
  return scalers;
}

function bankInputs({ spec, values }: LoadedBank, scalers: LoadedScalers | undefined): Inputs {
  return {
    need: 'templates',
    model: spec.model,
    bank: spec,
    templates: values,
    scalers: scalers && { model: scalers.spec.model, values: scalers.values },
  };
}
