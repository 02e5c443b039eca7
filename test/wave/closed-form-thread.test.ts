/** The closed form in a thread: the numbers of the calling thread, which stays free meanwhile, and an end on demand. */
import { describe, expect, it } from 'vitest';
import { InterruptedError, ModelError } from '#wave/base/errors.js';
import { parameterShapes } from '#wave/model/parameters.js';
import { closedFormInThread } from '#wave/wave/closed-form-thread.js';
import { closedFormFor } from '#wave/wave/decompose.js';
import * as pure from '../support/pure-weights.js';
import { layoutOf, vit } from './support.js';

const ancestor = vit(3, 24, 3);
const auxiliary = { ...ancestor, depth: 2, width: 16, heads: 2, hidden: 64 };
const layout = layoutOf(8);
const job = () => ({ auxiliary, ancestor, weights: pure.parameters(parameterShapes(ancestor)), layout, seed: 4 });
const never = new AbortController().signal;

describe('closedFormInThread', () => {
  it('gives what closedFormFor gives, while the calling thread goes on, and takes the weights', async () => {
    const { weights, ...rest } = job();
    const expected = closedFormFor(auxiliary, ancestor, weights, layout, 4);
    let ticks = 0;
    const clock = setInterval(() => ticks++, 1);
    const found = await closedFormInThread({ ...rest, weights }, never);
    clearInterval(clock);
    expect(found).toEqual(expected);
    expect(ticks).toBeGreaterThan(0);
    expect([...weights.values()].every(({ length }) => length === 0)).toBe(true);
  });

  it('refuses what closedFormFor refuses, and leaves the weights alone', async () => {
    const { weights, ...rest } = job();
    (weights.get('blocks.2.attn.qkv.weight') as Float32Array)[0] = Number.POSITIVE_INFINITY;
    await expect(closedFormInThread({ ...rest, weights }, never)).rejects.toThrow(
      new ModelError(
        'closed-form start: blocks.2.attn.qkv.weight of the ancestor is not finite; use an ancestor that was trained well',
      ),
    );
    const other = closedFormInThread({ ...job(), auxiliary: { ...auxiliary, classes: 7 } }, never);
    await expect(other).rejects.toThrow(ModelError);
    await expect(other).rejects.toThrow(/a template of head\.weight is/);
    expect(weights.get('head.weight')?.length).toBe(4 * 24);
  });

  it.each([0, 1, 60])('ends when the signal is aborted after %i ms', async (delay) => {
    const controller = new AbortController();
    // Sizes that take seconds.
    const [large, larger] = [vit(6, 192, 6), layoutOf(8, { count: 64 })];
    const weights = pure.parameters(parameterShapes(large));
    const running = closedFormInThread(
      { auxiliary: large, ancestor: large, weights, layout: larger, seed: 0 },
      controller.signal,
    );
    if (delay === 0) controller.abort();
    else setTimeout(() => controller.abort(), delay);
    await expect(running).rejects.toThrow(new InterruptedError('stopped before the first step; nothing was written'));
  });
});
