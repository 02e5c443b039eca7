/** Whether models, splits and data agree on what each class is called, and the names that a model keeps. */
import { ConfigError } from '../base/errors.js';
import { printable, quote } from '../base/text.js';
import { checkSameNames, type Dataset, firstDifference } from '../data/index.js';
import type { ModelSpec } from '../model/spec.js';

/** What of the `data:` block says whether names count. */
export interface NameSettings {
  readonly check_names: boolean;
}

/**
 * @throws ConfigError when the splits have other classes than each other, by number or, unless names do not count, by name.
 */
export function checkSplits(
  { train, test }: { readonly train: Dataset; readonly test: Dataset },
  names: NameSettings,
): void {
  const [one, other] = [train.source, test.source];
  if (one.classes !== other.classes) {
    const at = firstDifference(one, other);
    const told = (list: readonly string[] | undefined) => quote(list?.[at ?? 0] ?? 'missing');
    const first =
      at === undefined
        ? ''
        : ` (first difference: class ${at} is ${told(one.classNames)}, in the other ${told(other.classNames)})`;
    throw new ConfigError(
      `${printable(one.name)}: has ${one.classes} classes, ${printable(other.name)} has ${other.classes}${first}; name all ` +
        'classes in data.class_names, or make the splits alike',
    );
  }
  if (names.check_names) checkSameNames(other, one);
}

/**
 * @param model the model, and what to call it
 * @param advice what else the user may do about it
 * @throws ConfigError naming the first class that the model knows by another name than the data, unless names do not count.
 */
export function checkLabels(
  { source, spec }: { readonly source: string; readonly spec: Pick<ModelSpec, 'labels'> },
  { source: data }: Dataset,
  { check_names }: NameSettings,
  advice = 'choose the model of these classes',
): void {
  const at = check_names ? firstDifference({ classNames: spec.labels }, data) : undefined;
  if (at === undefined) return;
  const told = (list: readonly string[] | undefined) => quote(list?.[at] ?? 'missing');
  throw new ConfigError(
    `${printable(source)}: class ${at} is ${told(spec.labels)}, in the data ${told(data.classNames)}; ${advice}, correct the ` +
      'order in data.class_names, or set data.check_names to false if they only go by other names',
  );
}

/** The spec with the names of the data's classes, where the data knows them and the model does not. */
export function withLabels<Spec extends ModelSpec>(spec: Spec, { source: { classNames } }: Dataset): Spec {
  return spec.labels || !classNames ? spec : { ...spec, labels: [...classNames] };
}
