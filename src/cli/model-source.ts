/** Where a command gets its model from: a checkpoint, or templates and the scalers of a target. */
import { ConfigError } from '../base/errors.js';
import type { StartInputs } from '../stages/start-model.js';
import type { Arguments } from './arguments.js';

/**
 * @param name how the checkpoint is given, for messages: `MODEL`, or `--model FILE`
 * @throws ConfigError unless a model, or both files that make one, are named.
 */
export function modelSource(args: Arguments, name: string): StartInputs {
  const [model, templates, scalers] = [args.text('model'), args.text('templates'), args.text('scalers')];
  const heads = args.number('heads');
  if (model !== undefined && templates === undefined && scalers === undefined) {
    return { model, ...(heads === undefined ? {} : { heads }) };
  }
  const [flag] = name.split(' ') as [string];
  if (model === undefined && templates !== undefined && scalers !== undefined) {
    if (heads === undefined) return { templates, scalers };
    throw new ConfigError(`--heads is for a checkpoint given by ${flag}: scalers know their heads; leave it out`);
  }
  const given = Object.entries({ [flag]: model, '--templates': templates, '--scalers': scalers });
  const found = given.flatMap(([each, path]) => (path === undefined ? [] : [each])).join(' and ') || 'none of them';
  throw new ConfigError(`give ${name}, or --templates FILE and --scalers FILE; found ${found}`);
}
