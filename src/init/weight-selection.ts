/**
 * Weight selection: a smaller model from slices of a trained larger one, copied unscaled. Channels are evenly spaced, the
 * same ones in every tensor; of the blocks the first ones are taken.
 */
import { z } from 'zod';
import { elementCount } from '../base/shape.js';
import { initialiser } from '../model/initialise.js';
import { parameterShapes } from '../model/parameters.js';
import type { ModelSpec } from '../model/spec.js';
import { type Axis, isHead, type Kind, kindName, modelKinds } from '../wave/kinds.js';
import { defineMethod } from './method.js';
import { evenlySpaced, inEachGroup, type Kept, select } from './selection.js';

const options = z.strictObject({
  qkv: z
    .enum(['per-chunk', 'fused'])
    .default('per-chunk')
    .describe('select rows within queries, keys and values each, or on the fused axis as the original does'),
  head: z.enum(['select', 'fresh']).default('select').describe('classifier from the ancestor, or new'),
});

export const weightSelection = defineMethod({
  needs: 'ancestor',
  depth: 'shrink',
  width: 'shrink',
  options,
  paper: {
    title: 'Initializing Models with Larger Ones',
    venue: 'ICLR 2024',
    url: 'https://arxiv.org/abs/2311.18823',
  },
  start({ model, values }, { target, seed }, { qkv, head }) {
    const shapes = parameterShapes(model);
    const kinds = new Map(modelKinds(target).map((kind) => [kind.name, kind]));
    const kept = keptChannels(model, target, qkv);
    const fresh = initialiser(target, seed);
    const isFresh = (name: string) => head === 'fresh' && isHead(name);
    let transferred = 0;
    for (const [name, shape] of parameterShapes(target)) {
      if (!isFresh(name)) transferred += elementCount(shape);
    }
    return {
      transferred,
      fill(name, out) {
        if (isFresh(name)) return fresh(name, out);
        const { axes } = kinds.get(kindName(name)) as Kind;
        select(values.get(name) as Float32Array, shapes.get(name) as readonly number[], axes.map(kept), out);
      },
    };
  },
});

/**
 * What is kept of each axis. One map for the residual stream, one for the channels inside attention (rows of values,
 * columns of the output projection) and one for those inside the MLP, whatever the tensor.
 */
function keptChannels(from: ModelSpec, to: ModelSpec, qkv: 'per-chunk' | 'fused'): (axis: Axis) => Kept {
  const channels = evenlySpaced(from.width, to.width);
  const hidden = evenlySpaced(from.hidden, to.hidden);
  return ({ role, groups }) => {
    switch (role) {
      case 'residual':
        return channels;
      case 'heads':
        return qkv === 'fused'
          ? evenlySpaced(groups * from.width, groups * to.width)
          : inEachGroup(channels, groups, from.width);
      case 'hidden':
        return hidden;
      case 'fixed':
        return undefined;
    }
  };
}
