/** From scratch: random values as DeiT has them. Takes over nothing; the row that every other method is compared with. */
import { z } from 'zod';
import { initialiser } from '../model/initialise.js';
import { defineMethod } from './method.js';

export const deit = defineMethod({
  needs: 'nothing',
  depth: 'any',
  width: 'any',
  options: z.strictObject({}),
  paper: {
    title: 'Training data-efficient image transformers & distillation through attention',
    venue: 'ICML 2021',
    url: 'https://arxiv.org/abs/2012.12877',
  },
  start: (_inputs, { target, seed }) => ({ fill: initialiser(target, seed), transferred: 0 }),
});
