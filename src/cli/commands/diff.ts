/** `wave diff`: what differs between two checkpoints, with an optional limit for scripts. */
import { CheckError } from '../../base/errors.js';
import type { CheckpointDiff } from '../../stages/diff.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import { EVERYWHERE } from '../flags.js';

const CHECKPOINT =
  'safetensors file, or a folder with model.safetensors, a model in several files, templates.safetensors or ' +
  'scalers.safetensors; of wave, timm, Hugging Face or any other tool';

export const diffCommand: Command = {
  positionals: [
    { name: 'a', description: CHECKPOINT },
    { name: 'b', description: 'the one to compare it with' },
  ],
  flags: [
    {
      name: 'tolerance',
      type: 'number',
      value: 'X',
      description:
        'Exit with 3 if a value differs by more than X, or if a tensor is missing or of another shape; without this ' +
        'flag differences are only told, and the exit code is 0',
      group: 'Options',
      min: 0,
    },
    ...EVERYWHERE,
  ],
  examples: [
    {
      command: 'wave diff runs/a/model.safetensors runs/b/model.safetensors',
      purpose: 'What differs between two models?',
    },
    {
      command: 'wave diff runs/mnist exported --tolerance 0',
      purpose: 'Let a script fail unless an exported model has the very same weights',
    },
    { command: 'wave diff runs/bank-a runs/bank-b --json', purpose: 'All differences of two banks, for a script' },
  ],
  run,
};

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const [{ diffCheckpoints }, { limitExceeded, renderDiff }] = await Promise.all([
    import('../../stages/diff.js'),
    import('../diff-text.js'),
  ]);
  const [a, b] = [args.needText('a'), args.needText('b')];
  const result: CheckpointDiff = await diffCheckpoints(a, b);
  for (const warning of result.warnings) session.warn(`warning: ${warning}`);
  const outcome = { data: result, text: renderDiff(result) };
  const limit = args.number('tolerance');
  const found = limit === undefined ? undefined : limitExceeded(result, limit);
  if (found === undefined) return outcome;
  return { ...outcome, failure: new CheckError(`${a} and ${b}: must agree within ${limit}; found ${found}`) };
}
