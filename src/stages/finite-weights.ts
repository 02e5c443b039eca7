/** Whether the weights of a model are numbers: what goes wrong with others shows far from its cause. */

/** The first weight that is NaN or infinite, in words; undefined where all are finite. */
export function notFinite(values: ReadonlyMap<string, Float32Array>): string | undefined {
  const names = [...values].flatMap(([name, own]) => (own.every(Number.isFinite) ? [] : [name]));
  const [first] = names;
  if (first === undefined) return undefined;
  const others = names.length === 1 ? '' : ` and ${names.length - 1} more`;
  return `its weights hold NaN or infinite values (tensor ${first}${others})`;
}
