/** Between the names of a checkpoint's tensors and timm's, both ways: whole segments only, never a part of one. */

/** A parameter and the tensors that make it, joined along their first axis. `{n}` stands for a block's number. */
export type Rule = readonly [parameter: string, ...tensors: string[]];

/** Names of one checkpoint. */
export interface Keys {
  /** The tensors that make a parameter, in the order in which they are joined; none if the format does not have it. */
  tensorsOf(parameter: string): readonly string[];
  /** The parameter that a tensor belongs to. */
  parameterOf(tensor: string): string | undefined;
}

/** Names that are timm's behind a prefix, such as that of a wrapping module. */
export function prefixedKeys(prefix: string): Keys {
  return {
    tensorsOf: (parameter) => [prefix + parameter],
    parameterOf: (tensor) => (tensor.startsWith(prefix) ? tensor.slice(prefix.length) : undefined),
  };
}

/**
 * Names by a table.
 *
 * @throws TypeError when two rules share a name: no tensor may go two ways.
 */
export function tableKeys(rules: readonly Rule[]): Keys {
  const tensors = new Map<string, readonly string[]>();
  const parameters = new Map<string, string>();
  for (const [parameter, ...sources] of rules) {
    if (tensors.has(parameter)) throw new TypeError(`two rules for ${parameter}`);
    tensors.set(parameter, sources);
    for (const source of sources) {
      if (parameters.has(source)) throw new TypeError(`two rules for ${source}`);
      parameters.set(source, parameter);
    }
  }
  return {
    tensorsOf(name) {
      const { template, block } = split(name);
      return (tensors.get(template) ?? []).map((source) => source.replace(BLOCK, block));
    },
    parameterOf(name) {
      const { template, block } = split(name);
      return parameters.get(template)?.replace(BLOCK, block);
    },
  };
}

/** The place of a block's number in a rule. */
const BLOCK = '{n}';
/** A segment that is a number as it is written in names: no leading zero. */
const NUMBER = /(?<=^|\.)(?:0|[1-9]\d*)(?=\.|$)/;

/** A name with its first number taken out. */
function split(name: string): { template: string; block: string } {
  // A file may call a tensor anything, also as a rule is written.
  if (name.includes(BLOCK)) return { template: '', block: '' };
  const [block = ''] = NUMBER.exec(name) ?? [];
  return { template: name.replace(NUMBER, BLOCK), block };
}

/** The rules of a layer or norm: weight and bias. */
export function pair(parameter: string, ...tensors: string[]): Rule[] {
  return ['weight', 'bias'].map((part) => [`${parameter}.${part}`, ...tensors.map((tensor) => `${tensor}.${part}`)]);
}
