/**
 * The MLP branch of a transformer block: layer norm, linear layer, exact GELU, linear layer. With v = u / sqrt(2) is
 * gelu(u) = v (1 + erf(v)) / sqrt(2), and both factors go into the weights.
 */
import { MLP_BRANCH, MLP_BRANCH_GRADIENT } from '../../kernel-names.js';
import { fold, normalise, normaliseGradient, unfold } from './norm.js';
import { registerTensorflowKernel } from './register.js';

/** Logarithm of erf's derivative at 0, 2 / sqrt(pi). */
const LOG_SLOPE = Math.log(2 / Math.sqrt(Math.PI));

export function registerMlp(): void {
  registerTensorflowKernel(MLP_BRANCH, ({ x, scale, shift, w1, b1, w2, b2 }, { epsilon, learning }, t) => {
    const half = t.number(Math.SQRT1_2);
    const { normal, inverse } = normalise(t, x, epsilon);
    const folded = fold(t, { scale, shift, weight: w1, bias: b1 }, half);
    const second = t.mul(w2, half);
    const rows = learning ? normal : t.last(normal);
    const v = t.addBias(t.last(t.matMul(rows, folded.weight, false, true)), folded.bias);
    const open = t.add(t.last(t.plain('Erf', v)), t.number(1));
    if (!learning) {
      const hidden = t.mul(t.last(v), t.last(open));
      return [t.addBias(t.last(t.matMul(t.last(hidden), second, false, true)), b2)];
    }
    const hidden = t.mul(v, open);
    // d/dv v (1 + erf(v)) = 1 + erf(v) + v * 2 / sqrt(pi) * exp(-v^2), made while v is in the processor's cache.
    const density = t.plain('Exp', t.last(t.sub(t.number(LOG_SLOPE), t.last(t.plain('Square', v)))));
    const slope = t.add(t.last(open), t.last(t.mul(t.last(v), t.last(density))));
    const y = t.addBias(t.last(t.matMul(hidden, second, false, true)), b2);
    return [y, normal, inverse, slope, hidden, folded.weight, second];
  });
  registerTensorflowKernel(MLP_BRANCH_GRADIENT, (inputs, _, t) => {
    const { dy, scale, shift, w1, normal, inverse, slope, hidden, first, second } = inputs;
    const half = t.number(Math.SQRT1_2);
    const db2 = t.columnSums(dy);
    const dw2 = t.mul(t.matMul(dy, hidden, true, false), half);
    const dv = t.mul(slope, t.last(t.matMul(dy, second)));
    const dFirst = t.matMul(dv, normal, true, false);
    const parts = unfold(t, { scale, shift, weight: w1 }, dFirst, t.columnSums(dv), half);
    const dx = normaliseGradient(t, t.matMul(t.last(dv), first), { normal, inverse });
    return [dx, parts.dScale, parts.dShift, parts.dWeight, parts.dBias, dw2, db2];
  });
}
