/** The whole ViT in float64 loops: every token of every block, nothing left out, batch first. */
import type { ModelSpec } from '#wave/model/spec.js';
import { at, build, type Numbers, type Reference } from '../support/arrays.js';
import { gelu, layerNorm, linear, selfAttention } from '../support/reference.js';

export interface Batch {
  /** `[patches, batch, patch size]` */
  readonly patches: Numbers;
  /** `[2 * depth, batch]` */
  readonly dropPath?: Numbers;
}

/** Logits `[batch, classes]`. */
export function referenceLogits(model: ModelSpec, parameters: ReadonlyMap<string, Numbers>, batch: Batch): number[] {
  const get = (name: string): Numbers => parameters.get(name) as Numbers;
  const layer = (x: Reference, name: string) => linear(x, get(`${name}.weight`), get(`${name}.bias`));
  const norm = (x: Reference, name: string) => layerNorm(x, get(`${name}.weight`), get(`${name}.bias`), model.eps);
  const [patches, size] = [batch.patches.shape[0], batch.patches.shape[1]];
  const prefix = ['cls_token', 'dist_token', 'reg_token'].flatMap((name) => {
    const token = parameters.get(name);
    return token ? Array.from({ length: token.shape[1] }, (_, i) => (c: number) => at(token, [0, i, c])) : [];
  });
  const kernel = get('patch_embed.proj.weight');
  const flatKernel = { shape: [model.width, kernel.values.length / model.width], values: kernel.values };
  const flatPatches = { shape: [patches * size, flatKernel.shape[1]], values: batch.patches.values };
  const embedded = linear(flatPatches, flatKernel, get('patch_embed.proj.bias'));
  const tokens = prefix.length + patches;
  const firstPosition = model.position_prefix ? 0 : prefix.length;
  let rows = build([tokens * size, model.width], ([row, c]) => {
    const [token, b] = [Math.floor(row / size), row % size];
    const content = token < prefix.length ? prefix[token](c) : at(embedded, [(token - prefix.length) * size + b, c]);
    return content + (token >= firstPosition ? at(get('pos_embed'), [0, token - firstPosition, c]) : 0);
  });
  const branch = (number: number, x: Reference): Reference =>
    build(rows.shape, ([row, c]) => {
      const factor = batch.dropPath ? at(batch.dropPath, [number, row % size]) : 1;
      return at(rows, [row, c]) + factor * at(x, [row, c]);
    });
  for (let block = 0; block < model.depth; block++) {
    const name = `blocks.${block}`;
    const attended = selfAttention(
      norm(rows, `${name}.norm1`),
      get(`${name}.attn.qkv.weight`),
      get(`${name}.attn.qkv.bias`),
      { batch: size, heads: model.heads, queries: tokens },
    );
    rows = branch(2 * block, layer(attended, `${name}.attn.proj`));
    const hidden = gelu(layer(norm(rows, `${name}.norm2`), `${name}.mlp.fc1`));
    rows = branch(2 * block + 1, layer(hidden, `${name}.mlp.fc2`));
  }
  const token = (x: Reference, number: number) => build([size, model.width], ([b, c]) => at(x, [number * size + b, c]));
  if (model.pool === 'avg') {
    const before = model.final_norm === 'norm' ? norm(rows, 'norm') : rows;
    const pooled = build([size, model.width], ([b, c]) => {
      let total = 0;
      for (let p = prefix.length; p < tokens; p++) total += at(before, [p * size + b, c]);
      return total / patches;
    });
    return layer(model.final_norm === 'fc_norm' ? norm(pooled, 'fc_norm') : pooled, 'head').values;
  }
  const last = norm(rows, 'norm');
  const logits = layer(token(last, 0), 'head').values;
  if (!model.distillation_token) return logits;
  return layer(token(last, 1), 'head_dist').values.map((value, i) => (value + logits[i]) / 2);
}
