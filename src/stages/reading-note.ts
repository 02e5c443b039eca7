/** One note on how a checkpoint of another library was understood. */
import { LIBRARY_NAMES } from '../model/detect-stated.js';
import type { LoadedSpec } from '../model/load.js';
import type { StageContext } from './context.js';

/** Nothing is said of a model of this suite: it says all itself. */
export function noteReading(
  source: string,
  { format, spec, reading }: Pick<LoadedSpec, 'format' | 'spec' | 'reading'>,
  { emit }: Pick<StageContext, 'emit'>,
): void {
  if (format === 'wave') return;
  const { headsFrom, epsFrom, ignored, filled, notes } = reading;
  const parts = [
    `${source}: a checkpoint of ${LIBRARY_NAMES[format]}`,
    `${spec.heads} heads (${headsFrom})`,
    `epsilon ${spec.eps} (${epsFrom})`,
  ];
  const rest = [
    ...(ignored.length === 0 ? [] : [`ignored ${listed(ignored)}`]),
    ...(filled.length === 0 ? [] : [`zeros for ${listed(filled)}`]),
    ...notes,
  ];
  emit({ type: 'note', text: [parts.join(', '), ...rest].join('; ') });
}

/** All of a few names, or the first of many. */
function listed(names: readonly string[]): string {
  return names.length <= 2 ? names.join(' and ') : `${names[0]} and ${names.length - 1} more`;
}
