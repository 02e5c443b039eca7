/** The `engine:` block: what computes, and on what. */
import { z } from 'zod';

/** Schema of the `engine:` block. */
export const engineSchema = z.strictObject({
  name: z.enum(['ort', 'tensorflow']).default('ort').describe('engine'),
  device: z
    .string()
    .min(1)
    .default('cpu')
    .describe(
      'device of the engine: cpu, webgpu or cuda of ort, cpu or gpu of tensorflow; auto = the fastest that works',
    ),
  threads: z.int().min(1).max(1024).nullable().default(null).describe('threads; null = the cores of this process'),
});

/** The checked `engine:` block. */
export type EngineConfig = z.output<typeof engineSchema>;
