/** What shapes cannot tell: heads and epsilon, from what lies beside a checkpoint or from the user. */
import { ConfigError, ModelError } from '../base/errors.js';
import type { Facts } from './formats/facts.js';
import type { Library } from './formats/recognise.js';
import { HEADS_FLAG, type Hints, TIMM_EPS } from './hints.js';
import { geometry, type ModelSpec } from './spec.js';

/** What is said about a checkpoint: by files beside it, and by the user. */
export interface Stated {
  /** What to call the checkpoint in errors. */
  readonly source: string;
  readonly facts: Facts | undefined;
  readonly hints: Hints;
}

/**
 * @param width of the model: what an architecture's name says about the heads is only true for its own width
 * @throws ConfigError when file and user contradict each other; ModelError when neither says how many.
 */
export function headsOf(stated: Stated, width: number): { readonly heads: number; readonly headsFrom: string } {
  const { source, facts, hints } = stated;
  const flag = hints.headsFlag ?? HEADS_FLAG;
  const heads = agreed('heads', hints.heads, facts?.heads, flag, stated);
  if (heads !== undefined)
    return { heads, headsFrom: hints.heads === undefined ? `${facts?.from}: ${facts?.headsFrom}` : flag };
  const implied = facts?.impliedHeads;
  if (implied && (implied.width === undefined || implied.width === width)) {
    if (width % implied.heads === 0) return { heads: implied.heads, headsFrom: implied.from };
    throw new ModelError(
      `${source}: ${implied.heads} attention heads (${implied.from}) do not divide the width ${width}; give ${flag} N`,
    );
  }
  throw new ModelError(`${source}: does not say how many attention heads it has${orGive(stated, `${flag} N`)}`);
}

/** @throws ConfigError when file and user contradict each other; ModelError when nobody says it. */
export function epsOf(stated: Stated, library: Library): { readonly eps: number; readonly epsFrom: string } {
  const { source, facts, hints } = stated;
  const eps = agreed('as epsilon', hints.eps, facts?.eps, '--eps', stated);
  if (eps !== undefined) return { eps, epsFrom: hints.eps === undefined ? `${facts?.from}` : '--eps' };
  if (facts?.impliedEps) return { eps: facts.impliedEps.eps, epsFrom: facts.impliedEps.from };
  if (library === 'timm') return { eps: TIMM_EPS, epsFrom: 'that of all timm ViTs' };
  const convert = 'the epsilon to wave convert, --eps NUMBER';
  throw new ModelError(`${source}: does not say the epsilon of its layer norms${orGive(stated, convert)}`);
}

/** The end of a message about something that neither tensors nor files say. */
function orGive({ facts }: Stated, what: string): string {
  if (facts) return `, nor does ${facts.from}; give ${what}`;
  return `, and there is no config.json beside it; copy it there, or give ${what}`;
}

function agreed(
  name: string,
  given: number | undefined,
  known: number | undefined,
  flag: string,
  { source, facts }: Stated,
): number | undefined {
  if (given !== undefined && known !== undefined && given !== known) {
    throw new ConfigError(`${source}: ${facts?.from} says ${known} ${name}, ${flag} says ${given}; leave ${flag} out`);
  }
  return given ?? known;
}

/** Whose names a checkpoint has, for messages. */
export const LIBRARY_NAMES: Readonly<Record<Library, string>> = { timm: 'timm', huggingface: 'Hugging Face' };

const OTHER_CONFIG = 'use the config.json that belongs to the checkpoint';

/** @throws ModelError when tensors and the files beside them are not of the same library. */
export function checkLibrary(library: Library, { source, facts }: Stated): void {
  if (!facts || facts.library === library) return;
  throw new ModelError(
    `${source}: the tensors have the names of ${LIBRARY_NAMES[library]}, ${facts.from} is one of ` +
      `${LIBRARY_NAMES[facts.library]}; ${OTHER_CONFIG}`,
  );
}

/** @throws ModelError when the files beside a checkpoint say another size than its tensors have. */
export function checkSizes(spec: Omit<ModelSpec, 'heads' | 'eps'>, { source, facts }: Stated): void {
  for (const { name, key, value, times } of facts?.sizes ?? []) {
    const said = typeof value === 'number' && times !== undefined ? Math.trunc(spec[times] * value) : value;
    if (spec[key] === said || (key === 'position_prefix' && !decidesPrefix(spec))) continue;
    throw new ModelError(
      `${source}: the tensors have ${key} ${spec[key]}, ${facts?.from} says ${name} ${said}; ${OTHER_CONFIG}`,
    );
  }
}

/** Whether `no_embed_class` changes anything: timm does not ask it for distilled models, and without prefix tokens. */
function decidesPrefix(spec: Omit<ModelSpec, 'heads' | 'eps'>): boolean {
  return !spec.distillation_token && (spec.class_token || spec.register_tokens > 0);
}

/**
 * Checks the heads, the one size that the tensors cannot check, and all that goes with it.
 *
 * @throws ConfigError when the user's heads do not divide the width; ModelError when a file's do not, or for sizes that do
 * not fit together.
 */
export function checkHeads(spec: ModelSpec, { source, facts, hints }: Stated): void {
  try {
    geometry(spec);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    if (spec.width % spec.heads === 0) throw new ModelError(`${source}: ${error.message}`, 1, { cause: error });
    if (hints.heads !== undefined) throw new ConfigError(`${source}: ${error.message}`, { cause: error });
    throw new ModelError(
      `${source}: ${facts?.from} says ${spec.heads} heads, which do not divide the width ${spec.width}; ` +
        OTHER_CONFIG,
      1,
      { cause: error },
    );
  }
}
