/** States and steps of engine ort: what is kept, what is refused, what stays unchanged when something goes wrong. */
import { afterAll, describe, expect, it } from 'vitest';
import { WaveError } from '#wave/base/errors.js';
import { createEngine } from '#wave/engine/create.js';
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import type { State } from '#wave/engine/types.js';
import { ADAMW, spec, TRAINED, testEngine } from '../support/engine.js';
import { inputs, newState, PROGRAM, SETTINGS, testState } from '../support/state-suite.js';

const engine = testEngine();
/** The optimiser inside the graph, as devices other than the CPU have it. */
const graphEngine = createOrtEngine({ threads: 2, optimiser: 'graph' });
afterAll(() => Promise.all([engine.dispose(), graphEngine.dispose()]));

describe('a state with its optimiser on the host', () => testState(() => engine));
describe('a state with its optimiser in the graph', () => testState(() => graphEngine));

describe('gradients', () => {
  it.each([
    ['are there for a step in parts', engine, 'function'],
    ['are not there for a step in parts', graphEngine, 'undefined'],
  ])('%s', async (_, on, type) => {
    const step = await on.compileTraining(PROGRAM, await newState(on));
    expect(typeof step.accumulate).toBe(type);
  });

  it('stay where they are if the optimiser is in the graph', async () => {
    const step = await graphEngine.compileTraining(PROGRAM, await newState(graphEngine));
    await expect(step.gradients(inputs())).rejects.toThrow(
      /^gradients stay in the graph: make the engine with optimiser/,
    );
  });
});

describe('what is refused in one line', () => {
  const step = async (on = engine) => on.compileTraining(PROGRAM, await newState(on));
  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'an input of another size',
      async () => (await step()).run(new Map([['x', new Float32Array(7)]]), SETTINGS),
      /^input x must be float32 \[4, 5\] \(20 elements\), found Float32Array of 7$/,
    ],
    [
      'an input of another type',
      async () => (await step()).gradients(new Map([['x', new Int32Array(20)]])),
      /^input x must be float32 \[4, 5\] \(20 elements\), found Int32Array of 20$/,
    ],
    [
      'an input that is missing',
      async () => (await step()).run(new Map(), SETTINGS),
      /^input x must be float32 \[4, 5\] \(20 elements\), found nothing$/,
    ],
    [
      'a batch that was already given away',
      async () => {
        const [running, fed] = [await step(), inputs()];
        await running.run(fed, SETTINGS);
        await running.run(fed, SETTINGS);
      },
      /^input x must be float32 .* found Float32Array of 0$/,
    ],
    [
      'a parameter of another size',
      async () => (await newState(engine)).write(new Map([['w', new Float32Array(3)]])),
      /parameter w has 15 elements, 3 were given/,
    ],
    [
      'a parameter that the state does not have',
      async () => (await newState(engine)).write(new Map([['v', new Float32Array(3)]])),
      /the state has no parameter v/,
    ],
    [
      'values of another size at the start',
      () =>
        engine.createState(new Map([['w', { spec: spec([2]), values: new Float32Array(3), rule: TRAINED }]]), ADAMW),
      /parameter w has 2 elements, 3 were given/,
    ],
    [
      'a moment that is missing',
      async () => {
        const state = await newState(engine);
        const { step: count, first, second } = await state.readOptimiser();
        await state.writeOptimiser({ step: count, first, second: new Map([...second].slice(1)) });
      },
      /^the optimiser state has no second moment of w$/,
    ],
    [
      'a moment of another size',
      async () => {
        const state = await newState(engine);
        const { step: count, first, second } = await state.readOptimiser();
        await state.writeOptimiser({ step: count, first: new Map(first).set('w', new Float32Array(2)), second });
      },
      /^the first moment of w has 2 elements, the parameter 15: /,
    ],
    [
      'a state of another engine',
      async () => engine.compileTraining(PROGRAM, {} as State),
      /the state belongs to another engine/,
    ],
    [
      'a state that was disposed of',
      async () => {
        const state = await newState(engine);
        await state.dispose();
        await state.read();
      },
      /the state was disposed of/,
    ],
    [
      'a step that was disposed of',
      async () => {
        const running = await step();
        await running.dispose();
        await running.run(inputs(), SETTINGS);
      },
      /the compiled step was disposed of/,
    ],
    ['no threads', async () => createOrtEngine({ threads: 0 }), /^threads must be a positive integer, found 0$/],
    [
      'a device that the engine does not have',
      async () => createEngine({ name: 'ort', device: 'abacus', threads: 1 }),
      /^engine.device: engine ort has no device 'abacus': choose one of cpu, webgpu, cuda, auto \(see wave doctor\)$/,
    ],
  ])('%s', async (_, attempt, message) => {
    const refused = attempt();
    await expect(refused).rejects.toThrow(WaveError);
    await expect(refused).rejects.toThrow(message);
    await refused.catch((error: Error) => expect(error.message).not.toContain('\n'));
  });
});
