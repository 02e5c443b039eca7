/** The flags that several commands share, each defined once. A command lists those that make sense for it. */
import { INTERPOLATIONS, RESIZE_MODES } from '../base/resize-choices.js';
import type { Flag } from './command.js';

export const model: Flag = {
  name: 'model',
  type: 'string',
  value: 'FILE',
  description:
    'Model to start from: model.safetensors, or a folder that holds one; a model of wave, or a ViT checkpoint of timm ' +
    'or Hugging Face',
  group: 'Input',
};

export const ancestor: Flag = {
  name: 'ancestor',
  type: 'string',
  value: 'FILE',
  description:
    'Trained model: model.safetensors, or a folder that holds one; a model of wave, or a ViT checkpoint of timm or ' +
    'Hugging Face',
  group: 'Input',
};

/** An ancestor that is asked for its answers alone. */
export const answeringAncestor: Flag = {
  ...ancestor,
  description: `${ancestor.description}; or any image classifier in a file that ends in .onnx, or a folder with model.onnx`,
};

export const templates: Flag = {
  name: 'templates',
  type: 'string',
  value: 'FILE',
  description: 'Template bank: templates.safetensors, or a folder that holds one',
  group: 'Input',
};

export const scalers: Flag = {
  name: 'scalers',
  type: 'string',
  value: 'FILE',
  description: 'Scalers of the model to be made of the templates: scalers.safetensors, or a folder that holds them',
  group: 'Input',
};

export const config: Flag = {
  name: 'config',
  type: 'string',
  value: 'FILE',
  description: 'YAML file with the settings',
  group: 'Configuration',
};

export const set: Flag = {
  name: 'set',
  type: 'list',
  value: 'KEY.PATH=VALUE',
  description: 'Change one setting of the file; may be repeated',
  group: 'Configuration',
};

export const seed: Flag = {
  name: 'seed',
  type: 'integer',
  value: 'N',
  description: 'Seed of everything random',
  group: 'Configuration',
  min: 0,
};

export const dryRun: Flag = {
  name: 'dry-run',
  type: 'boolean',
  description: 'Check flags and settings, print all settings as YAML and start nothing; no data is read',
  group: 'Configuration',
};

export const outFolder: Flag = {
  name: 'out',
  type: 'string',
  value: 'DIR',
  description: 'Folder to write to',
  group: 'Output',
};

export const force: Flag = {
  name: 'force',
  type: 'boolean',
  description: 'Replace what is already there',
  group: 'Output',
};

export const resume: Flag = {
  name: 'resume',
  type: 'boolean',
  description: 'Go on with the interrupted run in the folder; needs the settings of that run',
  group: 'Output',
};

export const heads: Flag = {
  name: 'heads',
  type: 'integer',
  value: 'N',
  description: 'Attention heads, for a checkpoint that does not say how many it has',
  group: 'Options',
  min: 1,
};

export const ancestorHeads: Flag = {
  ...heads,
  name: 'ancestor-heads',
  description: 'Attention heads of the ancestor, for a checkpoint that does not say how many it has',
  group: 'Input',
};

export const engine: Flag = {
  name: 'engine',
  type: 'string',
  value: 'NAME',
  description: 'Engine that computes; ort if nothing else is set',
  group: 'Engine',
  choices: ['ort', 'tensorflow'],
};

export const device: Flag = {
  name: 'device',
  type: 'string',
  value: 'NAME',
  description:
    'Device of the engine: cpu, webgpu or cuda of ort, cpu or gpu of tensorflow, auto for the fastest that works; cpu if ' +
    'nothing else is set',
  group: 'Engine',
};

export const threads: Flag = {
  name: 'threads',
  type: 'integer',
  value: 'N',
  description: 'Threads of the engine',
  group: 'Engine',
  min: 1,
};

export const progress: Flag = {
  name: 'progress',
  type: 'string',
  value: 'KIND',
  description: 'How progress is shown on stderr; auto is a bar on a terminal and plain lines elsewhere',
  group: 'Output',
  choices: ['auto', 'none', 'plain', 'bar'],
  default: 'auto',
};

export const quiet: Flag = {
  name: 'quiet',
  type: 'boolean',
  description: 'No progress and no notes on stderr, errors only',
  group: 'Output',
};

export const json: Flag = {
  name: 'json',
  type: 'boolean',
  description: 'Print exactly one JSON document on stdout',
  group: 'Output',
};

export const debug: Flag = {
  name: 'debug',
  type: 'boolean',
  description: 'Add the stack trace to an error',
  group: 'Output',
};

export const help: Flag = {
  name: 'help',
  type: 'boolean',
  description: 'Show this help',
  group: 'Output',
};

/** How images are prepared for a model, in place of what the model says; `preprocessChanges` reads them. */
export const PREPROCESSING: readonly Flag[] = [
  {
    name: 'mean',
    type: 'string',
    value: 'LIST',
    description: 'Mean of the pixel values, 0 to 1: one number for all channels, or one for each with commas between',
    group: 'Preprocessing',
  },
  {
    name: 'std',
    type: 'string',
    value: 'LIST',
    description: 'Deviation of the pixel values, as --mean',
    group: 'Preprocessing',
  },
  {
    name: 'crop-pct',
    type: 'number',
    value: 'SHARE',
    description: 'Share of each side that the centre crop keeps: images are resized to the side over this first',
    group: 'Preprocessing',
    min: 0,
    max: 1,
  },
  {
    name: 'interpolation',
    type: 'string',
    value: 'NAME',
    description: 'Filter that images are resized with',
    group: 'Preprocessing',
    choices: INTERPOLATIONS,
  },
  {
    name: 'resize-mode',
    type: 'string',
    value: 'NAME',
    description: 'Resize in proportion until the size is covered (shortest), or exactly to it (squash)',
    group: 'Preprocessing',
    choices: RESIZE_MODES,
  },
];

/** Flags of every command. */
export const EVERYWHERE: readonly Flag[] = [json, quiet, debug, help];

/** The same flag, but it has to be given. */
export function required(flag: Flag): Flag {
  return { ...flag, required: true };
}

/** Flags of every command that trains: where settings come from, what computes, where the run goes. */
export const TRAINING: readonly Flag[] = [
  required(config),
  set,
  seed,
  dryRun,
  engine,
  device,
  threads,
  required(outFolder),
  force,
  resume,
  progress,
  ...EVERYWHERE,
];
