/** Stage `initTarget`: a model of a chosen depth and width, by one of the methods of src/init, as one file. */
import { ConfigError, InterruptedError } from '../base/errors.js';
import { toolVersion } from '../base/version.js';
import { type Lineage, makeLineage } from '../checkpoint/index.js';
import { configSha256 } from '../config/index.js';
import { checkedOptions, findMethod, type Initialised, type Method, planTarget } from '../init/index.js';
import type { Fill } from '../model/fill.js';
import { parameterCount } from '../model/parameters.js';
import { saveModel } from '../model/save.js';
import type { ModelSpec } from '../model/spec.js';
import { type ScalersSpec, saveScalers } from '../wave/artifacts.js';
import type { NamedValues } from '../wave/inherit-host.js';
import type { TargetSize } from '../wave/target.js';
import type { StageContext } from './context.js';
import { givenSizes } from './given-sizes.js';
import { filesFor, type InitFiles, loadInputs } from './init-inputs.js';
import { checkOutFile, type OutFile } from './out-file.js';

/** Which model `initTarget` makes, how, and of what. */
export interface InitOptions extends TargetSize, InitFiles {
  /** One of `METHODS`. */
  readonly method: string;
  /** Of everything random; default 0. */
  readonly seed?: number;
  /** Options of the method, as docs/init-methods.md lists them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Write weights where the method would write scalers. */
  readonly materialise?: boolean;
}

/** What is written, or would be, and how much of it is learned. */
export interface InitPlan {
  readonly path: string;
  readonly kind: 'model' | 'scalers';
  readonly method: string;
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
  /** Of the target. */
  readonly parameters: number;
  /** Scalers of the target, for methods that have them. */
  readonly scalers?: number;
  /** Learned numbers that the target takes over: all templates, or weights copied from the ancestor. */
  readonly transferred: number;
  /** `transferred / parameters`. */
  readonly share: number;
}

/** What was written, and how much of it is learned. */
export interface InitResult extends InitPlan {
  readonly seconds: number;
}

/**
 * @param key how it was asked for, for the message
 * @throws ConfigError when weights are asked for instead of scalers of a method that has none.
 */
export function checkMaterialise(
  name: string,
  { needs }: Method,
  materialise: boolean,
  key: '--materialise' | 'materialise',
): void {
  if (!materialise || needs === 'templates') return;
  throw new ConfigError(`${key}: ${name} always writes a model; leave it out`);
}

/**
 * Does all that {@link initTarget} does except writing.
 *
 * @throws as {@link initTarget}
 */
export async function checkInit(options: InitOptions, out: OutFile): Promise<InitPlan> {
  return (await prepare(options, out, { emit: () => {} })).plan;
}

/**
 * Writes scalers (methods that have them, unless `materialise` is set) or a model.
 *
 * @throws ConfigError for an unknown method, wrong options, files that are missing or of no use, scalers of other
 * templates, a size that the method cannot make, or `out` when it may not be written; ModelError when a file does not hold
 * the model that it should; CheckpointError when one cannot be read or written; InterruptedError when `context.signal` was
 * aborted. Nothing is written then.
 */
export async function initTarget(options: InitOptions, out: OutFile, context: StageContext): Promise<InitResult> {
  const start = performance.now();
  const { plan, spec, made, scalers, lineage } = await prepare(options, out, context);
  checkSignal(context.signal);
  if (scalers === undefined) {
    const values = stoppable(made.fill, context.signal);
    await saveModel(out.path, { spec, values, lineage: lineage(context.command) });
  } else {
    await saveScalers(out.path, { ...scalers, lineage: lineage(context.command) });
  }
  return { ...plan, seconds: (performance.now() - start) / 1000 };
}

interface Prepared {
  readonly plan: InitPlan;
  readonly spec: ModelSpec;
  readonly made: Initialised;
  /** What to save instead of weights, if that is what is to be written. */
  readonly scalers: { readonly spec: ScalersSpec; readonly values: NamedValues } | undefined;
  readonly lineage: (command: string) => Lineage;
}

/** Checks, reads, and computes what is small: all but the weights. */
async function prepare(options: InitOptions, out: OutFile, context: Pick<StageContext, 'emit'>): Promise<Prepared> {
  const { method: name, seed = 0, materialise = false } = options;
  const method = await findMethod(name).load();
  const settings = checkedOptions(name, method, options.options ?? {});
  checkMaterialise(name, method, materialise, '--materialise');
  const files = filesFor(name, method.needs, options);
  await checkOutFile(
    out,
    [files.ancestor, files.templates, files.scalers].filter((path) => path !== undefined),
  );
  const { inputs, parents, templatesSha256 } = await loadInputs(method.needs, files, context);
  const size = { depth: options.depth, width: options.width, heads: options.heads };
  const target = givenSizes(() => planTarget(name, method, inputs, size));
  const made = method.start(inputs, { target, seed }, settings);
  const lineage = (command: string) =>
    makeLineage({
      command,
      configSha256: configSha256({ method: name, ...size, seed, materialise, options: settings }),
      parents,
      seed,
      engine: 'host',
      toolVersion: toolVersion(),
    });
  let scalers: Prepared['scalers'];
  if (!materialise && made.scalers && inputs.need === 'templates' && templatesSha256 !== undefined) {
    const spec = { model: target, templates: inputs.bank.templates, templates_sha256: templatesSha256 };
    scalers = { spec, values: made.scalers };
  }
  const parameters = parameterCount(target);
  const plan: InitPlan = {
    path: out.path,
    kind: scalers === undefined ? 'model' : 'scalers',
    method: name,
    depth: target.depth,
    width: target.width,
    heads: target.heads,
    parameters,
    ...scalerCount(made),
    transferred: made.transferred,
    share: made.transferred / parameters,
  };
  return { plan, spec: target, made, scalers, lineage };
}

function scalerCount({ scalers }: Initialised): { scalers?: number } {
  if (scalers === undefined) return {};
  return { scalers: [...scalers.values()].reduce((total, values) => total + values.length, 0) };
}

/** Ends the writing between two parameters when the user interrupts. */
function stoppable(fill: Fill, signal: AbortSignal): Fill {
  return (name, out) => {
    checkSignal(signal);
    fill(name, out);
  };
}

function checkSignal(signal: AbortSignal): void {
  if (signal.aborted) throw new InterruptedError('stopped; nothing was written');
}
