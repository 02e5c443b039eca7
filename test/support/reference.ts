/** The named ops in float64 loops, as their definitions read. */
import { at, build, erf, type Numbers, type Reference, softmax, sum } from './arrays.js';

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function linear(x: Numbers, weight: Numbers, bias: Numbers): Reference {
  const [rows, inner] = x.shape;
  return build([rows, weight.shape[0]], ([row, out]) =>
    sum([at(bias, [out]), ...range(inner).map((k) => at(x, [row, k]) * at(weight, [out, k]))]),
  );
}

export function layerNorm(x: Numbers, scale: Numbers, bias: Numbers, epsilon: number): Reference {
  const width = x.shape[1];
  return build(x.shape, ([row, column]) => {
    const values = range(width).map((k) => at(x, [row, k]));
    const mean = sum(values) / width;
    const variance = sum(values.map((value) => (value - mean) ** 2)) / width;
    return ((at(x, [row, column]) - mean) / Math.sqrt(variance + epsilon)) * at(scale, [column]) + at(bias, [column]);
  });
}

export function gelu(x: Numbers): Reference {
  return build(x.shape, (index) => 0.5 * at(x, index) * (1 + erf(at(x, index) * Math.SQRT1_2)));
}

/** `[queries * batch, width]` from `x` `[tokens * batch, width]`, tokens first. */
export function selfAttention(
  x: Numbers,
  weight: Numbers,
  bias: Numbers,
  { batch, heads, queries }: { batch: number; heads: number; queries: number },
): Reference {
  const width = x.shape[1];
  const tokens = x.shape[0] / batch;
  const size = width / heads;
  const projected = linear(x, weight, bias);
  const part = (role: number, token: number, b: number, column: number): number =>
    at(projected, [token * batch + b, role * width + column]);
  return build([queries * batch, width], ([row, column]) => {
    const [query, b] = [Math.floor(row / batch), row % batch];
    const first = Math.floor(column / size) * size;
    const scores = range(tokens).map(
      (token) => sum(range(size).map((i) => part(0, query, b, first + i) * part(1, token, b, first + i))) / size ** 0.5,
    );
    return sum(softmax(scores).map((weight, token) => weight * part(2, token, b, column)));
  });
}

export function crossEntropy(logits: Numbers, targets: Numbers): Reference {
  const [batch, classes] = logits.shape;
  const losses = range(batch).map((row) => {
    const probabilities = softmax(range(classes).map((c) => at(logits, [row, c])));
    return -sum(probabilities.map((p, c) => at(targets, [row, c]) * Math.log(p)));
  });
  return { shape: [], values: [sum(losses) / batch] };
}
