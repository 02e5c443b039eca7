/** What the summary shows of a stage that trains a model. */
import { type Measures, numberIn } from './kind.js';

/** @param results with `top1`, `startTop1`, `steps` and `parameters`, as far as the stage returns them. */
export function measureTraining(results: Readonly<Record<string, unknown>>): Measures {
  const accuracy = numberIn(results, 'top1');
  const startAccuracy = numberIn(results, 'startTop1');
  const steps = numberIn(results, 'steps');
  const parameters = numberIn(results, 'parameters');
  return {
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(startAccuracy === undefined ? {} : { startAccuracy }),
    ...(steps === undefined ? {} : { steps }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}
