/** The list of subcommands. It holds the summaries, so that the overview loads none of the commands themselves. */
import type { Command } from './command.js';

/** A subcommand by name; `load` imports its file. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: 'Train' | 'Use' | 'Look';
  readonly load: () => Promise<Command>;
}

/** All subcommands in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'pretrain',
    summary: 'Train a ViT from scratch: an ancestor, or the baseline to compare with',
    group: 'Train',
    load: async () => (await import('./commands/pretrain.js')).pretrainCommand,
  },
  {
    name: 'distill',
    summary: 'Condense a trained model, the ancestor, into a bank of weight templates',
    group: 'Train',
    load: async () => (await import('./commands/distill.js')).distillCommand,
  },
  {
    name: 'init',
    summary: 'Initialise a model of any depth and width from templates, an ancestor or scratch',
    group: 'Train',
    load: async () => (await import('./commands/init.js')).initCommand,
  },
  {
    name: 'fit',
    summary: 'Train the scalers of a model made of templates, on a little data',
    group: 'Train',
    load: async () => (await import('./commands/fit.js')).fitCommand,
  },
  {
    name: 'finetune',
    summary: 'Train a model, or one made of templates and scalers, on a downstream set',
    group: 'Train',
    load: async () => (await import('./commands/finetune.js')).finetuneCommand,
  },
  {
    name: 'run',
    summary: 'Run a pipeline of stages from one file, and skip what is up to date',
    group: 'Train',
    load: async () => (await import('./commands/run.js')).runCommand,
  },
  {
    name: 'eval',
    summary: 'Measure the accuracy of a model on a data set',
    group: 'Use',
    load: async () => (await import('./commands/eval.js')).evalCommand,
  },
  {
    name: 'predict',
    summary: 'Classify images with a model',
    group: 'Use',
    load: async () => (await import('./commands/predict.js')).predictCommand,
  },
  {
    name: 'convert',
    summary: 'Make a model of wave of a ViT checkpoint of timm or Hugging Face',
    group: 'Use',
    load: async () => (await import('./commands/convert.js')).convertCommand,
  },
  {
    name: 'export',
    summary: 'Write a model for timm, Hugging Face or ONNX, and check that it is the same',
    group: 'Use',
    load: async () => (await import('./commands/export.js')).exportCommand,
  },
  {
    name: 'inspect',
    summary: 'List the tensors, parameters and history of a checkpoint',
    group: 'Look',
    load: async () => (await import('./commands/inspect.js')).inspectCommand,
  },
  {
    name: 'diff',
    summary: 'Compare two checkpoints: what they say, and their tensors value by value',
    group: 'Look',
    load: async () => (await import('./commands/diff.js')).diffCommand,
  },
  {
    name: 'doctor',
    summary: 'Try every engine and device, and say how to repair what fails',
    group: 'Look',
    load: async () => (await import('./commands/doctor.js')).doctorCommand,
  },
];
