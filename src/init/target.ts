/** The model to be made: everything but its size is that of the model that a method starts from. */
import { ModelError } from '../base/errors.js';
import type { ModelSpec } from '../model/spec.js';
import { checkTargetSize, type TargetSize, targetSpec } from '../wave/target.js';
import type { Change, Inputs, Method } from './method.js';

/**
 * The spec of the target.
 *
 * @param name of the method, for messages
 * @throws ModelError when sizes do not fit together, or the method cannot make them of what it starts from.
 */
export function planTarget(name: string, method: Method, inputs: Inputs, size: TargetSize): ModelSpec {
  checkTargetSize(size);
  const from = inputs.need === 'nothing' ? undefined : inputs.need === 'ancestor' ? 'ancestor' : 'auxiliary model';
  if (from !== undefined) {
    for (const axis of ['depth', 'width'] as const) {
      checkChange({ name, from, axis, change: method[axis], own: inputs.model[axis], wanted: size[axis] });
    }
  }
  return inputs.need === 'templates' ? targetSpec(inputs.bank, size) : resized(inputs.model, size);
}

/**
 * The model with another depth and width. The head size stays unless heads are given, and so does the ratio of the MLP.
 *
 * @throws ModelError when the width is no multiple of the head size, naming the nearest widths that are, or heads do not
 * divide the width.
 */
export function resized(model: ModelSpec, { depth, width, heads }: TargetSize): ModelSpec {
  const headSize = model.width / model.heads;
  if (heads === undefined && width % headSize !== 0) {
    const below = Math.floor(width / headSize) * headSize;
    const nearest = [below, below + headSize].filter((candidate) => candidate > 0);
    throw new ModelError(
      `width ${width} is no multiple of the head size ${headSize} (or give the heads); ` +
        `the nearest valid widths are ${nearest.join(' and ')}`,
    );
  }
  const ownHeads = heads ?? width / headSize;
  if (width % ownHeads !== 0) {
    throw new ModelError(`heads ${ownHeads} does not divide width ${width}; the head size so far is ${headSize}`);
  }
  // At least one hidden unit, as narrow as the target may be.
  const hidden = Math.max(1, Math.round((width * model.hidden) / model.width));
  return { ...model, depth, width, heads: ownHeads, hidden };
}

interface SizeChange {
  readonly name: string;
  readonly from: string;
  readonly axis: 'depth' | 'width';
  readonly change: Change;
  readonly own: number;
  readonly wanted: number;
}

function checkChange({ name, from, axis, change, own, wanted }: SizeChange): void {
  const rules = {
    any: undefined,
    shrink: wanted > own ? 'at most' : undefined,
    grow: wanted < own ? 'at least' : undefined,
    keep: wanted === own ? undefined : 'exactly',
  };
  const bound = rules[change];
  if (bound === undefined) return;
  throw new ModelError(
    `${axis} ${wanted}: ${name} makes ${bound} ${axis} ${own}, that of the ${from}; choose another size or method`,
  );
}
