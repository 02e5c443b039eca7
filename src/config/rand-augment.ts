/** RandAugment's settings in one line of text, as timm writes them: `rand-m9-mstd0.5-inc1`. */
import { ConfigError } from '../base/errors.js';
import { quoted } from './problems.js';

/** How training images are changed by RandAugment (Cubuk et al. 2020, timm's form). */
export interface RandAugmentSettings {
  /** `m`: strength of every change, 0 .. `limit`; larger is cut off at `limit`. */
  readonly magnitude: number;
  /** `n`: changes drawn for an image. */
  readonly layers: number;
  /** `p`: probability that a drawn change is made. */
  readonly probability: number;
  /** `mstd`: standard deviation of the strength; Infinity: uniform in 0 .. `magnitude`. */
  readonly deviation: number;
  /** `mmax`: greatest strength. */
  readonly limit: number;
  /** `inc`: whether every change grows with the strength. */
  readonly increasing: boolean;
}

const DEFAULTS = { m: 10, n: 2, p: 0.5, mstd: 0, mmax: 10, inc: 0 };
type Section = keyof typeof DEFAULTS;

/** Sections that take whole numbers only. */
const WHOLE: ReadonlySet<Section> = new Set(['m', 'n', 'mmax', 'inc']);
/** Least and greatest value of a section. */
const RANGES: Readonly<Record<Section, readonly [number, number]>> = {
  m: [0, 100],
  n: [1, 100],
  p: [0, 1],
  mstd: [0, Number.MAX_VALUE],
  mmax: [1, 100],
  inc: [0, 1],
};
/** Above it, timm takes a deviation for "uniform". */
const UNIFORM_ABOVE = 100;

/**
 * Reads such a line. What is left out has timm's default: `rand` is `rand-m10-n2-p0.5-mstd0-mmax10-inc0`.
 *
 * @throws {ConfigError} saying in one line what is not understood, without the key that it stands at.
 */
export function parseRandAugment(text: string): RandAugmentSettings {
  const [kind, ...sections] = text.split('-');
  const refuse = (why: string): never => {
    throw new ConfigError(`${quoted(text)}: ${why}; an example: rand-m9-mstd0.5-inc1`);
  };
  if (kind !== 'rand') refuse('only RandAugment is known, which begins with rand-');
  const values = { ...DEFAULTS };
  const given = new Set<string>();
  for (const section of sections) {
    const [, name = '', digits = ''] = /^([a-z]*)(.*)$/.exec(section) ?? [];
    if (name.startsWith('t')) refuse(`section ${quoted(section)}: other sets of changes are not known`);
    if (!isSection(name)) return refuse(`section ${quoted(section)} is none of ${Object.keys(DEFAULTS).join(', ')}`);
    if (given.has(name)) refuse(`section ${name} is given twice`);
    given.add(name);
    const value = /^\d+(\.\d*)?$/.test(digits) ? Number(digits) : Number.NaN;
    const [least, most] = RANGES[name];
    if (!(value >= least && value <= most) || (WHOLE.has(name) && !Number.isInteger(value))) {
      const kindOf = WHOLE.has(name) ? 'a whole number' : 'a number';
      refuse(`section ${name} takes ${kindOf} of ${most > 100 ? `at least ${least}` : `${least} to ${most}`}`);
    }
    values[name] = value;
  }
  return {
    magnitude: values.m,
    layers: values.n,
    probability: values.p,
    deviation: values.mstd > UNIFORM_ABOVE ? Number.POSITIVE_INFINITY : values.mstd,
    limit: values.mmax,
    increasing: values.inc === 1,
  };
}

function isSection(name: string): name is Section {
  return Object.hasOwn(DEFAULTS, name);
}
