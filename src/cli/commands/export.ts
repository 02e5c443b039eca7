/** `wave export`: a model as the files of another library. */
import type { Agreement } from '../../model/export/format.js';
import { FORMATS } from '../../model/export/registry.js';
import type { ExportResult, ExportSummary } from '../../stages/export.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import * as flags from '../flags.js';
import { modelSource } from '../model-source.js';
import { preprocessChanges } from '../preprocessing.js';

export const exportCommand: Command = {
  positionals: [
    {
      name: 'model',
      optional: true,
      description:
        'model.safetensors, or a folder that holds one; a model of wave, or a ViT checkpoint of timm or Hugging Face. ' +
        'Instead of it, give --templates and --scalers',
    },
  ],
  flags: [
    flags.required({
      name: 'format',
      type: 'string',
      value: 'NAME',
      description: 'What to write; see below',
      group: 'Options',
      choices: FORMATS.map(({ name }) => name),
    }),
    {
      name: 'softmax',
      type: 'boolean',
      description: 'onnx: the model gives probabilities instead of logits',
      group: 'Options',
    },
    flags.heads,
    flags.templates,
    flags.scalers,
    ...flags.PREPROCESSING,
    {
      ...flags.dryRun,
      description: 'Check that the model can be written so, list the files and write nothing',
      group: 'Output',
    },
    flags.required(flags.outFolder),
    flags.force,
    flags.progress,
    ...flags.EVERYWHERE,
  ],
  sections: [{ title: 'Formats', rows: FORMATS.map(({ name, summary }) => [name, summary]) }],
  examples: [
    {
      command: 'wave export runs/mnist --format timm --out runs/mnist-export',
      purpose: "For timm.create_model('local-dir:runs/mnist-export', pretrained=True)",
    },
    {
      command: 'wave export --templates runs/bank --scalers runs/t/scalers.safetensors --format hf --out runs/t-export',
      purpose: 'A target of a bank for from_pretrained of transformers',
    },
    {
      command: 'wave export runs/mnist --format hf --out runs/mnist-export --dry-run',
      purpose: 'Can transformers hold this model, and in which files?',
    },
    {
      command: 'wave export runs/mnist --format onnx --softmax --out runs/mnist-onnx',
      purpose: 'A program for onnxruntime that gives probabilities',
    },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const source = modelSource(args, 'MODEL');
  const { checkExport, exportModel } = await import('../../stages/export.js');
  const settings = {
    format: args.needText('format'),
    softmax: args.has('softmax'),
    preprocess: preprocessChanges(args),
  };
  const out = { dir: args.needText('out'), force: args.has('force') };
  if (args.has('dry-run')) {
    const summary = await checkExport(source, settings, out);
    for (const warning of summary.warnings) session.warn(`warning: ${warning}`);
    return { data: { dryRun: true, ...summary }, text: await render(summary) };
  }
  const result = await exportModel(source, settings, out, await session.startStage());
  return { data: result, text: await render(result, result) };
}

async function render(summary: ExportSummary, written?: ExportResult): Promise<string> {
  const [{ renderPairs }, { count }] = await Promise.all([import('../table.js'), import('../progress-text.js')]);
  const { spec, files, replaces } = summary;
  return renderPairs([
    ['folder', summary.dir],
    ['format', summary.format],
    ['files', files.join(', ')],
    ...(written || replaces.length === 0 ? [] : [['replaces', replaces.join(', ')] as const]),
    ['size', `depth ${spec.depth}, width ${spec.width}, ${count(spec.heads, 'head')}`],
    ['parameters', String(summary.parameters)],
    ...(written === undefined ? [] : [['bytes', `${written.bytes}, opened again and compared`] as const]),
    ...(written?.agreement === undefined ? [] : agreementRows(written.agreement)),
  ]);
}

function agreementRows({ opset, difference }: Agreement): [string, string][] {
  const comparison = `${difference.toPrecision(2)} of the largest logit, onnxruntime against the model`;
  return [
    ['operators', `set ${opset}`],
    ['difference', comparison],
  ];
}
