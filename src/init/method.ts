/**
 * What a method of initialisation is: what it starts from, which sizes it can make, its options, where it was published,
 * and the function that gives the values. Each method is one file beside this one and one entry in registry.ts.
 */
import type { z } from 'zod';
import type { Fill } from '../model/fill.js';
import type { ModelSpec } from '../model/spec.js';
import type { BankSpec, NamedValues, ScalersOf } from '../wave/index.js';

/**
 * What a method starts from. Every kind has the `model` that fixes everything but the size of the target: image, patch,
 * channels, classes, pooling, tokens, preprocessing, labels.
 */
export type Inputs =
  | { readonly need: 'nothing'; readonly model: ModelSpec }
  /** A trained model; `values` by timm name. */
  | { readonly need: 'ancestor'; readonly model: ModelSpec; readonly values: NamedValues }
  /** A template bank (`templates.KIND`), its auxiliary model, and scalers of that model where they are at hand. */
  | {
      readonly need: 'templates';
      readonly model: ModelSpec;
      readonly bank: BankSpec;
      readonly templates: NamedValues;
      readonly scalers: ScalersOf | undefined;
    };

export type Need = Inputs['need'];
export type InputsFor<N extends Need> = Extract<Inputs, { need: N }>;

/** How a method can change a size of what it starts from. */
export type Change = 'any' | 'shrink' | 'grow' | 'keep';

/** What is to be made. */
export interface Request {
  readonly target: ModelSpec;
  /** Of everything random. */
  readonly seed: number;
}

/** A model that is ready to be trained. */
export interface Initialised {
  /** The parameters of the target. `collect` makes all of them. */
  readonly fill: Fill;
  /** What is stored instead of weights, for methods that have it: `scalers.KIND` of the target. */
  readonly scalers?: NamedValues;
  /** How many learned numbers the target takes over from what the method starts from. */
  readonly transferred: number;
}

/** Where a method was published. */
export interface Paper {
  readonly title: string;
  readonly venue: string;
  readonly url: string;
}

/** A method whose inputs and options are not known in advance, as the registry holds it. */
export interface Method {
  readonly needs: Need;
  /** How depth and width of the target may differ from those of `Inputs.model`. */
  readonly depth: Change;
  readonly width: Change;
  /** Strict at every level, with a default for every option. */
  readonly options: z.ZodObject;
  readonly paper: Paper;
  /**
   * @param options checked by `options`
   * @throws ModelError when the target cannot be made, ConfigError when options and inputs contradict each other.
   */
  readonly start: (inputs: Inputs, request: Request, options: unknown) => Initialised;
}

/** A method as its file writes it: `start` sees its own inputs and options. */
export interface MethodDefinition<N extends Need, O extends z.ZodObject> extends Omit<Method, 'start'> {
  readonly needs: N;
  readonly options: O;
  readonly start: (inputs: InputsFor<N>, request: Request, options: z.output<O>) => Initialised;
}

/** Makes a method of its definition. */
export function defineMethod<N extends Need, O extends z.ZodObject>(definition: MethodDefinition<N, O>): Method {
  const isMine = (inputs: Inputs): inputs is InputsFor<N> => inputs.need === definition.needs;
  return {
    ...definition,
    start(inputs, request, options) {
      if (!isMine(inputs)) throw new TypeError(`this method starts from ${definition.needs}, not ${inputs.need}`);
      return definition.start(inputs, request, definition.options.parse(options));
    },
  };
}
