/** What the summary shows of a stage that trains a model. */
import { type Measures, numberIn } from './kind.js';

/** @param results with `top1`, `steps` and `parameters`, as training stages return them. */
export function measureTraining(results: Readonly<Record<string, unknown>>): Measures {
  const accuracy = numberIn(results, 'top1');
  const steps = numberIn(results, 'steps');
  const parameters = numberIn(results, 'parameters');
  return {
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(steps === undefined ? {} : { steps }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}
