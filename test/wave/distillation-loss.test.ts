/** The distillation loss against its formulas in float64, and its gradient against central differences. */
import { afterAll, describe, expect, it } from 'vitest';
import { type DistillationLoss, distillationLoss } from '#wave/wave/distillation-loss.js';
import { softmax, sum } from '../support/arrays.js';
import { differentiate, evaluate, type Given, given, testEngine } from '../support/engine.js';
import { normalSized } from '../support/pure-weights.js';

const engine = testEngine();
afterAll(() => engine.dispose());

const [BATCH, CLASSES] = [4, 6];
const rows = (values: ArrayLike<number>): number[][] =>
  Array.from({ length: BATCH }, (_, i) => Array.from(values).slice(i * CLASSES, (i + 1) * CLASSES));

const logits = given([BATCH, CLASSES], normalSized('logits', BATCH * CLASSES));
const ancestor = given(
  [BATCH, CLASSES],
  normalSized('ancestor', BATCH * CLASSES).map((x) => 2 * x),
);
const decisions = given(
  [BATCH, CLASSES],
  rows(ancestor.values).flatMap((row) => row.map((x) => Number(x === Math.max(...row)))),
);

/** `T^2 sum p_a (log p_a - log p)` over images, or over images and classes. */
function soft(z: ArrayLike<number>, temperature: number, over: number): number {
  const distribution = (row: number[]) => softmax(row.map((x) => x / temperature));
  const divergences = rows(z).map((row, i) => {
    const [own, other] = [distribution(row), distribution(rows(ancestor.values)[i])];
    return sum(other.map((p, c) => p * Math.log(p / own[c])));
  });
  return (temperature ** 2 * sum(divergences)) / over;
}

const hard = (z: ArrayLike<number>): number =>
  sum(rows(z).map((row, i) => -Math.log(softmax(row)[rows(decisions.values)[i].indexOf(1)]))) / BATCH;

const options = (more: Partial<DistillationLoss>): DistillationLoss => ({
  weight: 1,
  temperature: 1,
  reduction: 'batchmean',
  target: 'soft',
  ...more,
});

interface LossCase {
  readonly name: string;
  readonly options: DistillationLoss;
  readonly against: Given;
  readonly expected: (z: ArrayLike<number>) => number;
}

const CASES: LossCase[] = [1, 2, 0.5].flatMap((temperature) => [
  {
    name: `soft, temperature ${temperature}, batchmean`,
    options: options({ temperature }),
    against: ancestor,
    expected: (z: ArrayLike<number>) => soft(z, temperature, BATCH),
  },
  {
    name: `soft, temperature ${temperature}, element`,
    options: options({ temperature, reduction: 'element' }),
    against: ancestor,
    expected: (z: ArrayLike<number>) => soft(z, temperature, BATCH * CLASSES),
  },
]);
CASES.push(
  { name: 'hard', options: options({ target: 'hard' }), against: decisions, expected: hard },
  {
    name: 'hard, whatever temperature, reduction and weight',
    options: options({ target: 'hard', temperature: 4, reduction: 'element', weight: 3 }),
    against: decisions,
    expected: hard,
  },
);

describe.each(CASES)('$name', ({ options: given_, against, expected }) => {
  it('has the value of its formula', async () => {
    const { loss } = await evaluate(engine, { logits, against }, (fed) => ({
      loss: distillationLoss(fed.logits, fed.against, given_),
    }));
    expect(loss[0]).toBeCloseTo(expected(logits.values), 5);
  });

  it('has the gradient of its formula', async () => {
    const { gradients } = await differentiate(engine, { logits }, { against }, (fed) =>
      distillationLoss(fed.logits, fed.against, given_),
    );
    const step = 1e-5;
    const z = Float64Array.from(logits.values);
    gradients.logits.forEach((found, i) => {
      const at = (shift: number) => expected(z.map((x, j) => (i === j ? x + shift : x)));
      expect(found).toBeCloseTo((at(step) - at(-step)) / (2 * step), 5);
    });
  });
});

it('is zero, with no gradient, for a model that says what the ancestor says up to a constant', async () => {
  const shifted = given(
    [BATCH, CLASSES],
    Float32Array.from(ancestor.values, (x, i) => x + Math.floor(i / CLASSES)),
  );
  const { loss, gradients } = await differentiate(engine, { logits: shifted }, { ancestor }, (fed) =>
    distillationLoss(fed.logits, fed.ancestor, options({ temperature: 3 })),
  );
  expect(Math.abs(loss)).toBeLessThan(1e-5);
  expect(Math.max(...gradients.logits.map(Math.abs))).toBeLessThan(1e-6);
});

it('stays finite for an ancestor that is certain', async () => {
  const certain = given(
    [BATCH, CLASSES],
    decisions.values.map((x) => 1000 * x),
  );
  const { loss, gradients } = await differentiate(engine, { logits }, { certain }, (fed) =>
    distillationLoss(fed.logits, fed.certain, options({})),
  );
  expect(loss).toBeCloseTo(hard(logits.values), 4);
  expect(gradients.logits.every(Number.isFinite)).toBe(true);
});
