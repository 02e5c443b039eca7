/** The arguments of one call, checked: commands read them by name and type. */

/** Checked values by name (of a flag without its dashes, or of a positional). */
export type ArgumentValue = string | number | boolean | readonly string[];

/** Typed access to the checked arguments; asking for the wrong type is a bug of the command. */
export class Arguments {
  readonly #values: ReadonlyMap<string, ArgumentValue>;

  constructor(values: ReadonlyMap<string, ArgumentValue>) {
    this.#values = values;
  }

  /** Value of a string flag or single positional, `undefined` if not given. */
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'string') return value;
    throw new TypeError(`argument ${name} is not a string`);
  }

  /** Value of a required (or defaulted) string flag or single positional. */
  needText(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new TypeError(`argument ${name} is neither required nor given`);
    return value;
  }

  /** Value of a numeric flag, `undefined` if not given. */
  number(name: string): number | undefined {
    const value = this.#values.get(name);
    if (value === undefined || typeof value === 'number') return value;
    throw new TypeError(`argument ${name} is not a number`);
  }

  /** Value of a required (or defaulted) numeric flag. */
  needNumber(name: string): number {
    const value = this.number(name);
    if (value === undefined) throw new TypeError(`argument ${name} is neither required nor given`);
    return value;
  }

  /** True if a boolean flag was given. */
  has(name: string): boolean {
    return this.#values.get(name) === true;
  }

  /** Values of a list flag or variadic positional, in the order given. */
  list(name: string): readonly string[] {
    const value = this.#values.get(name) ?? [];
    if (typeof value === 'object') return value;
    throw new TypeError(`argument ${name} is not a list`);
  }
}
