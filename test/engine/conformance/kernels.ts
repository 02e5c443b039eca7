/**
 * The kernels that programs are made of, against plain loops. Those that single engines add for named ops are left out,
 * but for the product, which all have: the ops are tested as a whole.
 */
import { describe, expect, it } from 'vitest';
import * as own from '#wave/engine/kernel-names.js';
import type { Tensor } from '#wave/engine/tf.js';
import type { Engine } from '#wave/engine/types.js';
import { expectClose } from '../../support/close.js';
import { evaluate } from '../../support/engine.js';
import { ELEMENTWISE } from '../kernel-cases/elementwise.js';
import { PRODUCTS } from '../kernel-cases/product.js';
import { REDUCTIONS } from '../kernel-cases/reduce.js';
import { SHAPES } from '../kernel-cases/shape.js';

type Case = readonly [string, (typeof CASES)[number]];
const SINGLE: readonly string[] = Object.values(own).filter((name) => name !== own.GEMM);
const CASES = [...ELEMENTWISE, ...REDUCTIONS, ...SHAPES, ...PRODUCTS].filter(({ kernel }) => !SINGLE.includes(kernel));

/**
 * What a device cannot run: programs must do without, and a program with it is refused, not left to the CPU. A kernel that
 * works after all must leave this list.
 */
const MISSING: Readonly<Record<string, readonly string[]>> = {
  'ort/webgpu': ['LogicalOr', 'Sign', 'LogSoftmax', 'ArgMax'],
  'tensorflow/cpu': ['LogSoftmax', 'BroadcastTo'],
  'tensorflow/gpu': ['LogSoftmax', 'BroadcastTo'],
};

/** Largest error where it is not that of float32: Vulkan's for sine and cosine. */
const ERRORS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'ort/webgpu': { Sin: 2 ** -11, Cos: 2 ** -11 },
};

const many = <T>(one: T | T[]): T[] => (Array.isArray(one) ? one : [one]);

/**
 * Defines the tests.
 *
 * @param name of the target
 */
export function describeKernels(engine: () => Engine, name: string): void {
  const missing = MISSING[name] ?? [];
  const [there, refused] = [true, false].map((wanted) =>
    CASES.filter(({ kernel }) => missing.includes(kernel) !== wanted).map(
      (one) => [`${one.kernel} of ${one.of}`, one] as const,
    ),
  ) as [Case[], Case[]];

  describe('a kernel that is missing', () => {
    it.each(refused)('%s is refused', async (_, { inputs, run }) => {
      const attempt = evaluate(engine(), inputs, (tensors) => ({ y: many(run(tensors))[0] as Tensor }));
      await expect(attempt).rejects.toThrow(/fallback to CPU EP has been explicitly disabled|not registered/);
    });
  });

  describe('a kernel', () => {
    it.each(there)('%s', async (_, { kernel, inputs, run, expected }) => {
      const shapes: number[][] = [];
      const outputs = await evaluate(engine(), inputs, (tensors) => {
        const results = many(run(tensors));
        shapes.push(...results.map(({ shape }) => shape));
        return Object.fromEntries(results.map((tensor, i) => [`y${i}`, tensor]));
      });
      expect(shapes.slice(0, many(expected).length)).toEqual(many(expected).map(({ shape }) => shape));
      many(expected).forEach(({ values }, i) => {
        expectClose(`output ${i}`, outputs[`y${i}`], values, { absolute: ERRORS[name]?.[kernel] ?? 1e-5 });
      });
    });
  });
}
