/**
 * What a run makes of a model: the weights of its state, or their moving average, which is kept on the host, saved with the
 * state, and evaluated in a state of its own.
 */
import type { Lineage } from '../checkpoint/index.js';
import type { Engine, State, StateEntry } from '../engine/types.js';
import { saveModel } from '../model/save.js';
import type { ModelSpec } from '../model/spec.js';
import { type AverageSettings, type LoopStep, ParameterAverage } from '../train/index.js';
import type { BestWriter } from './best-model.js';
import { NO_OPTIMISER } from './evaluate.js';
import type { Companion } from './saved-state.js';
import type { RunParts } from './training-run.js';

/** Begins the names of the average's tensors in a saved state. */
const PREFIX = 'ema.';

interface AveragedWeights {
  /** What is evaluated: the average as it was when `hooks.beforeEvaluation` ran last. */
  readonly state: State;
  /** By parameter name. */
  readonly values: () => ReadonlyMap<string, Float32Array>;
  readonly hooks: Required<Pick<RunParts, 'companion' | 'afterStep' | 'beforeEvaluation'>>;
}

/** What a run makes of a model. */
export interface ResultWeights {
  /** Is evaluated. */
  readonly state: State;
  /** Writes them as a model. */
  readonly save: (path: string) => Promise<void>;
}

/** A model in training. */
export interface ModelInTraining {
  readonly engine: Engine;
  readonly state: State;
  /** That the state was made from. */
  readonly entries: ReadonlyMap<string, StateEntry>;
  readonly spec: ModelSpec;
  readonly lineage: () => Lineage;
}

/**
 * The weights that a run evaluates and writes, and what it has to do for them: those of its state, or with `ema` their
 * average; with `keep_best` also those of the best evaluation.
 *
 * @throws EngineError
 */
export async function openWeights(
  { ema, keep_best }: { readonly ema: AverageSettings | null; readonly keep_best: boolean },
  { engine, state, entries, spec, lineage }: ModelInTraining,
): Promise<{ readonly weights: ResultWeights; readonly hooks: Partial<RunParts> }> {
  const average = ema ? await openAverage(ema, engine, state, entries) : undefined;
  const write = async (path: string, origin: Lineage) =>
    saveModel(path, { spec, values: average?.values() ?? (await state.read()), lineage: origin });
  const best: BestWriter = { save: (path, step) => write(path, { ...lineage(), step }) };
  return {
    weights: { state: average?.state ?? state, save: (path) => write(path, lineage()) },
    hooks: { ...average?.hooks, ...(keep_best ? { best } : {}) },
  };
}

/**
 * @param trained whose parameters are averaged
 * @param entries that it was made from: the average begins with their values
 * @throws EngineError
 */
async function openAverage(
  settings: AverageSettings,
  engine: Engine,
  trained: State,
  entries: ReadonlyMap<string, StateEntry>,
): Promise<AveragedWeights> {
  const average = new ParameterAverage(settings, new Map([...entries].map(([name, { values }]) => [name, values])));
  const rule = { trained: false, weightDecay: 0, learningRateScale: 1 };
  const untrained = new Map([...entries].map(([name, entry]) => [name, { ...entry, rule }]));
  const state = await engine.createState(untrained, NO_OPTIMISER);
  const companion: Companion = {
    prefix: PREFIX,
    specs: trained.specs,
    read: async () => average.values,
    write: async (values) => average.restore(values),
  };
  const afterStep = async ({ step }: LoopStep) => average.update(await trained.read(), step);
  const beforeEvaluation = () => state.write(average.values);
  return { state, values: () => average.values, hooks: { companion, afterStep, beforeEvaluation } };
}
