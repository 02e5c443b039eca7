/**
 * The attention branch of a transformer block: layer norm, self-attention of several heads, output projection.
 *
 * A key's bias adds the same number to all scores of a query, which its softmax does not see, so it is left out and its
 * gradient is 0. A value's bias goes through the attention unchanged, as the weights of a query sum to 1, and is added
 * with the bias of the projection.
 */
import { ATTENTION_BRANCH, ATTENTION_BRANCH_GRADIENT } from '../../kernel-names.js';
import type { Scratch, Value } from '../scratch.js';
import { fold, normalise, normaliseGradient, outer, timesVector, unfold, vectorTimes } from './norm.js';
import { registerTensorflowKernel } from './register.js';

/** Rows `[tokens * batch, width]`, which are freed, as `[batch, heads, tokens, head size]`. */
function toHeads(t: Scratch, rows: Value, batch: number, heads: number): Value {
  const size = (rows.shape[1] as number) / heads;
  return t.transpose(t.last(t.reshape(t.last(rows), [-1, batch, heads, size])), [1, 2, 0, 3]);
}

/** `[batch, heads, tokens, head size]` as rows `[tokens * batch, width]`. */
function toRows(t: Scratch, x: Value): Value {
  const [, heads, , size] = x.shape as [number, number, number, number];
  return t.reshape(t.last(t.transpose(x, [2, 0, 1, 3])), [-1, heads * size]);
}

function split3(t: Scratch, x: Value): [Value, Value, Value] {
  return t.split(x, 3) as [Value, Value, Value];
}

export function registerAttention(): void {
  registerTensorflowKernel(ATTENTION_BRANCH, (inputs, { epsilon, batch, heads, queries, learning }, t) => {
    const { x, scale, shift, weight, bias, projection, projectionBias } = inputs;
    const factor = t.number(Math.sqrt(heads / (x.shape[1] as number)));
    // For the gradient; an evaluation frees it at its last use.
    const kept = (value: Value) => (learning ? value : t.last(value));
    const { normal, inverse } = normalise(t, x, epsilon);
    const folded = fold(t, { scale, shift, weight, bias });
    const [wholeQuery, wk, wv] = split3(t, folded.weight);
    const [queryBias, , valueBias] = split3(t, folded.bias);
    const wq = t.mul(wholeQuery, factor);
    const asked = t.firstRows(normal, queries * batch);
    const q = toHeads(t, t.addBias(t.last(t.matMul(asked, wq, false, true)), t.mul(queryBias, factor)), batch, heads);
    const k = toHeads(t, t.matMul(normal, wk, false, true), batch, heads);
    const v = toHeads(t, t.matMul(kept(normal), wv, false, true), batch, heads);
    const weights = t.plain('Softmax', t.last(t.batchMatMul(kept(q), kept(k), false, true)));
    const attended = t.batchMatMul(kept(weights), kept(v));
    const rows = toRows(t, kept(attended));
    const passed = t.add(projectionBias, timesVector(t, projection, valueBias));
    const y = t.addBias(t.last(t.matMul(kept(rows), projection, false, true)), passed);
    if (!learning) return [y];
    return [y, normal, inverse, wq, wk, wv, valueBias, q, k, v, weights, attended, rows];
  });
  registerTensorflowKernel(ATTENTION_BRANCH_GRADIENT, (inputs, { batch, heads, queries }, t) => {
    const { dy, scale, shift, weight, projection } = inputs;
    const { normal, inverse, wq, wk, wv, valueBias, q, k, v, weights, attended, rows } = inputs;
    const factor = t.number(Math.sqrt(heads / (normal.shape[1] as number)));
    const dProjectionBias = t.columnSums(dy);
    const dProjection = t.add(t.matMul(dy, rows, true, false), outer(t, dProjectionBias, valueBias));
    const dOut = toHeads(t, t.matMul(dy, projection), batch, heads);
    const dv = toRows(t, t.last(t.batchMatMul(weights, dOut, true, false)));
    const dWeights = t.batchMatMul(dOut, v, false, true);
    // Row sums of p * dp equal those of out * dOut (Dao et al. 2022, FlashAttention, appendix B), which are smaller.
    const sums = t.sum(t.last(t.mul(attended, t.last(dOut))));
    const dScores = t.mul(weights, t.last(t.sub(t.last(dWeights), sums)));
    const dq = toRows(t, t.last(t.batchMatMul(dScores, k)));
    const dk = toRows(t, t.last(t.batchMatMul(t.last(dScores), q, true, false)));

    const asked = t.firstRows(normal, queries * batch);
    const dwq = t.mul(t.matMul(dq, asked, true, false), factor);
    const dWeight = t.concat([dwq, t.matMul(dk, normal, true, false), t.matMul(dv, normal, true, false)]);
    const dQueryBias = t.mul(t.columnSums(dq), factor);
    const dValueBias = vectorTimes(t, dProjectionBias, projection);
    const dBias = t.concat([dQueryBias, t.sub(dQueryBias, dQueryBias), dValueBias]);
    const folded = unfold(t, { scale, shift, weight }, dWeight, dBias);
    const fromQuery = t.padRows(t.matMul(t.last(dq), wq), normal.shape[0] as number);
    const dNormal = t.addN([fromQuery, t.matMul(t.last(dk), wk), t.matMul(t.last(dv), wv)].map((part) => t.last(part)));
    const dx = normaliseGradient(t, dNormal, { normal, inverse });
    return [dx, folded.dScale, folded.dShift, folded.dWeight, dBias, dProjection, dProjectionBias];
  });
}
