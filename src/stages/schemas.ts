/** Blocks that the configurations of several stages share. */
import { z } from 'zod';
import { dataSchema } from '../config/data-schema.js';
import { engineSchema } from '../config/engine-schema.js';
import { modelSchema } from '../model/config.js';

export const evalSchema = z.strictObject({
  batch: z.int().min(1).default(250).describe('images per evaluation batch'),
  start: z.boolean().default(false).describe('also measure before the first step of a training'),
});

/** What every stage that reads images has. */
export const commonShape = {
  data: dataSchema,
  eval: evalSchema.prefault({}),
  engine: engineSchema.prefault({}),
  seed: z.int().min(0).default(0).describe('seed of everything random'),
};

export const modelShape = { model: modelSchema.prefault({}) };
