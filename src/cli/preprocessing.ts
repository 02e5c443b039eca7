/** What the flags of `flags.PREPROCESSING` and those for image sizes say. */
import { ConfigError } from '../base/errors.js';
import { INTERPOLATIONS, RESIZE_MODES } from '../base/resize-choices.js';
import type { PreprocessChanges } from '../model/preprocess.js';
import type { Arguments } from './arguments.js';

/**
 * Changes to a model's preprocessing, as far as they are given.
 *
 * @throws ConfigError for a list that is not one of numbers.
 */
export function preprocessChanges(args: Arguments): PreprocessChanges {
  const mean = numbers(args, 'mean');
  const std = numbers(args, 'std');
  const cropPct = args.number('crop-pct');
  const interpolation = INTERPOLATIONS.find((name) => name === args.text('interpolation'));
  const resizeMode = RESIZE_MODES.find((name) => name === args.text('resize-mode'));
  return {
    ...(mean && { mean }),
    ...(std && { std }),
    ...(cropPct !== undefined && { cropPct }),
    ...(interpolation && { interpolation }),
    ...(resizeMode && { resizeMode }),
  };
}

/** Numbers with commas between them. */
function numbers(args: Arguments, name: string): number[] | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new ConfigError(
    `flag --${name} must be numbers with commas between them, such as 0.5,0.5,0.5; found "${text}"`,
  );
}

/**
 * Height and width in pixels, written `HxW`; one number, where `square` allows it, stands for both.
 *
 * @throws ConfigError for anything else.
 */
export function imageSize(args: Arguments, name: string, square: boolean): [number, number] | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const [, height, width] = /^([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?$/.exec(text) ?? [];
  if (height !== undefined && (width !== undefined || square)) return [Number(height), Number(width ?? height)];
  const form = square ? 'N or HxW' : 'HxW';
  throw new ConfigError(
    `flag --${name} must be ${form} in pixels, such as ${square ? '224 or ' : ''}256x192; found "${text}"`,
  );
}
