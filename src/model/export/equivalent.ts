/** Other parameters that compute the same function, for formats that know only one of the two forms. */
import { geometry, type ModelSpec } from '../spec.js';
import type { ExportModel } from './format.js';

/** A spec in which the positions have rows for the tokens before the patches. */
export function withPrefixRows(spec: ModelSpec): ModelSpec {
  return { ...spec, position_prefix: true };
}

/**
 * A spec whose last norm is on the tokens. Of a model that reads single tokens it is the same norm: a layer norm sees one
 * token at a time, so it may as well come before they are chosen.
 */
export function withTokenNorm(spec: ModelSpec): ModelSpec {
  return spec.pool === 'token' ? { ...spec, final_norm: 'norm' } : spec;
}

/** The values of a model under a spec that differs from its own as the functions of this file make it. */
export function valuesFor(to: ModelSpec, { spec, values }: ExportModel): Map<string, Float32Array> {
  const { prefix, positions } = geometry(to);
  const missing = (positions - geometry(spec).positions) * spec.width;
  return new Map(
    [...values].map(([name, own]) => {
      if (name === 'pos_embed' && missing > 0) {
        // Adding zeros to the prefix tokens is adding nothing.
        const padded = new Float32Array(positions * spec.width);
        padded.set(own, prefix * spec.width);
        return [name, padded];
      }
      return [name.replace(/^(?:fc_)?norm\./, `${to.final_norm}.`), own];
    }),
  );
}
