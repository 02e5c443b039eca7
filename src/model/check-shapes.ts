/** Whether a file holds exactly the parameters of a model, and what is said when it does not. */
import { ModelError } from '../base/errors.js';
import { printable } from '../base/text.js';
import type { Shapes } from './formats/recognise.js';
import { checkVariant } from './formats/unsupported.js';
import { parameterShapes } from './parameters.js';
import type { ModelSpec } from './spec.js';

/** What else is known of the file. */
export interface FileNames {
  /** The tensors of the file that make a parameter, for messages. */
  readonly inFile?: (parameter: string) => readonly string[];
  /** Tensors that belong to no parameter. */
  readonly unknown?: readonly string[];
  /** Tensors that are missing though others of the same parameter are there. */
  readonly absent?: readonly string[];
}

/** Names of each kind that a message holds. */
const MOST_NAMES = 3;
const QKV_BIAS = /(?:qkv|query|key|value|[qkv]_proj)\.bias$/;

/**
 * @throws ModelError when `shapes` are not exactly the parameters of `spec`: one line with how many are missing, too many
 * or of another shape, and the first of each.
 */
export function checkShapes(spec: ModelSpec, shapes: Shapes, source: string, file: FileNames = {}): void {
  const { inFile = (parameter) => [parameter], unknown = [], absent = [] } = file;
  const expected = parameterShapes(spec);
  const unexpected = [...[...shapes.keys()].filter((name) => !expected.has(name)), ...unknown];
  checkVariant(unexpected, source);
  const missing = [...absent];
  const reshaped: string[] = [];
  for (const [name, shape] of expected) {
    const called = inFile(name).join(' and ') || name;
    const found = shapes.get(name);
    if (!found) missing.push(called);
    else if (found.join() !== shape.join()) {
      reshaped.push(`${called} [${found.join(', ')}], expected [${shape.join(', ')}]`);
    }
  }
  const problems = [
    counted(missing, (count) => `${count} ${count === 1 ? 'tensor' : 'tensors'} missing`),
    counted(unexpected, (count) => `${count} unexpected`),
    counted(reshaped, (count) => `${count} of another shape`),
  ].filter((problem) => problem !== '');
  if (problems.length === 0) return;
  const isBias = missing.every((name) => QKV_BIAS.test(name)) && unexpected.length + reshaped.length === 0;
  const advice = isBias
    ? 'if the model has no such biases, wave convert --fill-bias puts zeros there'
    : 'get the whole file, or name a plain ViT or DeiT';
  throw new ModelError(`${source}: is not the ViT that its other tensors tell of: ${problems.join(', ')}; ${advice}`);
}

/** How many, and the first names. */
function counted(names: readonly string[], text: (count: number) => string): string {
  if (names.length === 0) return '';
  const shown = names.slice(0, MOST_NAMES).map(printable).join('; ');
  return `${text(names.length)} (${shown}${names.length > MOST_NAMES ? '; ...' : ''})`;
}
