/** The moving average of a run's weights: kept on the host, saved with the state, evaluated in a state of its own. */
import type { Engine, State, StateEntry } from '../engine/types.js';
import { type AverageSettings, type LoopStep, ParameterAverage } from '../train/index.js';
import { NO_OPTIMISER } from './evaluate.js';
import type { Companion } from './saved-state.js';
import type { RunParts } from './training-run.js';

/** Begins the names of the average's tensors in a saved state. */
const PREFIX = 'ema.';

export interface AveragedWeights {
  /** What is evaluated: the average as it was when `hooks.beforeEvaluation` ran last. */
  readonly state: State;
  /** By parameter name. */
  readonly values: () => ReadonlyMap<string, Float32Array>;
  readonly hooks: Required<Pick<RunParts, 'companion' | 'afterStep' | 'beforeEvaluation'>>;
}

/**
 * @param trained whose parameters are averaged
 * @param entries that it was made from: the average begins with their values
 * @throws EngineError
 */
export async function openAverage(
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
