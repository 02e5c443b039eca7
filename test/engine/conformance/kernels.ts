/**
 * The kernels that programs are made of, against plain loops. Those that engine ort adds for its named ops are left out: other
 * engines have none of them, and the ops are tested as a whole.
 */
import { describe, expect, it } from 'vitest';
import * as own from '#wave/engine/kernel-names.js';
import type { Engine } from '#wave/engine/types.js';
import { expectClose } from '../../support/close.js';
import { evaluate } from '../../support/engine.js';
import { ELEMENTWISE } from '../kernel-cases/elementwise.js';
import { PRODUCTS } from '../kernel-cases/product.js';
import { REDUCTIONS } from '../kernel-cases/reduce.js';
import { SHAPES } from '../kernel-cases/shape.js';

const OWN: readonly string[] = Object.values(own);
const CASES = [...ELEMENTWISE, ...REDUCTIONS, ...SHAPES, ...PRODUCTS].filter(({ kernel }) => !OWN.includes(kernel));
const many = <T>(one: T | T[]): T[] => (Array.isArray(one) ? one : [one]);

/** Defines the tests. */
export function describeKernels(engine: () => Engine): void {
  describe('a kernel', () => {
    it.each(CASES.map((one) => [`${one.kernel} of ${one.of}`, one] as const))(
      '%s',
      async (_, { inputs, run, expected }) => {
        const shapes: number[][] = [];
        const outputs = await evaluate(engine(), inputs, (tensors) => {
          const results = many(run(tensors));
          shapes.push(...results.map(({ shape }) => shape));
          return Object.fromEntries(results.map((tensor, i) => [`y${i}`, tensor]));
        });
        expect(shapes.slice(0, many(expected).length)).toEqual(many(expected).map(({ shape }) => shape));
        many(expected).forEach(({ values }, i) => {
          expectClose(`output ${i}`, outputs[`y${i}`], values, { absolute: 1e-5 });
        });
      },
    );
  });
}
