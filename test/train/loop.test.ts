/** The loop on a step that only remembers what it was given; the loader is the real one. */
import { describe, expect, it } from 'vitest';
import { TrainingError } from '#wave/base/errors.js';
import { dataSchema } from '#wave/config/index.js';
import { Loader, openData } from '#wave/data/index.js';
import type { TrainingStep } from '#wave/engine/types.js';
import { type DataFacts, modelSchema, resolveModel } from '#wave/model/config.js';
import { initialise } from '#wave/model/initialise.js';
import { type LoopStep, learningRate, modelEntries, runLoop } from '#wave/train/index.js';

const BATCH = 4;
/** 5 steps of 4 images; 2 images of every epoch are left out. */
const config = dataSchema.parse({ source: 'synthetic', synthetic: { image: 8, train: 22, test: 4 } });
const dataset = await openData(config, 'train', { seed: 1 });
const schedule = { lr: 1, minLr: 0, steps: 12, warmupSteps: 2 };

async function loop(options: {
  startStep?: number;
  controller?: AbortController;
  onStep?: (event: LoopStep) => void | Promise<void>;
  labels?: readonly string[];
  clipNorm?: number;
  run?: TrainingStep['run'];
  accumulate?: number;
  keep?: TrainingStep['run'];
  /** Milliseconds that every batch is late. */
  late?: number;
}) {
  const own = new Loader({ dataset, mode: 'train', batch: BATCH, patch: 4, seed: 1, workers: 0 });
  const loader = {
    batchesPerEpoch: own.batchesPerEpoch,
    epoch: (...given: Parameters<Loader['epoch']>) => late(own.epoch(...given), options.late),
  };
  const seen: { step: number; epoch: number; indices: number[]; rate: number }[] = [];
  const waits: number[] = [];
  const epochs: [number, number][] = [];
  const settings: unknown[] = [];
  const fed: number[] = [];
  const parts: number[] = [];
  const run: TrainingStep['run'] = async (_inputs, given) => {
    settings.push(given);
    return { loss: 1, outputs: new Map() };
  };
  const unused = () => Promise.reject(new Error('not used'));
  const done = await runLoop({
    stepFor: (step) => ({
      step: {
        run: options.run ?? run,
        gradients: unused,
        dispose: unused,
        ...(options.keep
          ? { accumulate: (inputs) => (options.keep as TrainingStep['run'])(inputs, { learningRate: 0 }) }
          : {}),
      },
      inputs: (_batch, given, part) => {
        expect(given).toBe(step);
        fed.push(step);
        parts.push(part);
        return Promise.resolve(new Map([['step', Float32Array.of(step)]]));
      },
      ...(options.labels === undefined ? {} : { label: options.labels[step % options.labels.length] }),
    }),
    loader,
    ...(options.accumulate === undefined ? {} : { accumulate: options.accumulate }),
    schedule,
    clipNorm: options.clipNorm,
    startStep: options.startStep ?? 0,
    signal: (options.controller ?? new AbortController()).signal,
    onStep: (event) => {
      seen.push({ step: event.step, epoch: event.epoch, indices: [...event.batch.indices], rate: event.learningRate });
      waits.push(event.dataWait);
      return options.onStep?.(event);
    },
    onEpoch: async (epoch, step) => {
      epochs.push([epoch, step]);
    },
  });
  return { done, seen, epochs, settings, fed, parts, waits };
}

async function* late(batches: ReturnType<Loader['epoch']>, milliseconds: number | undefined) {
  for await (const batch of batches) {
    if (milliseconds !== undefined) await new Promise((resolve) => setTimeout(resolve, milliseconds));
    yield batch;
  }
}

describe('runLoop', () => {
  it('goes through the epochs to the last step, and tells the end of each', async () => {
    const { done, seen, epochs, fed } = await loop({});
    expect(done).toBe(12);
    expect(seen.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(seen.map(({ epoch }) => epoch)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2]);
    expect(fed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(epochs).toEqual([
      [0, 5],
      [1, 10],
      [2, 12],
    ]);
    expect(seen.map(({ rate }) => rate)).toEqual(fed.map((step) => learningRate(schedule, step)));
  });

  it.each([1, 5, 7, 11])('from step %i on does what the whole run does', async (startStep) => {
    const whole = await loop({});
    const rest = await loop({ startStep });
    expect(rest.seen).toEqual(whole.seen.slice(startStep));
    expect(rest.epochs).toEqual(whole.epochs.filter(([, step]) => step > startStep));
  });

  it('does nothing when all steps are done', async () => {
    expect(await loop({ startStep: 12 })).toMatchObject({ done: 12, seen: [], epochs: [] });
  });

  it('finishes the step in progress when it is stopped', async () => {
    const controller = new AbortController();
    const onStep = ({ step }: LoopStep) => {
      if (step === 7) controller.abort();
    };
    const { done, seen, epochs } = await loop({ controller, onStep });
    expect({ done, last: seen.at(-1)?.step, epochs }).toEqual({ done: 7, last: 7, epochs: [[0, 5]] });
  });

  it('hands the rate and the clipping to the step, clipping only where it is on', async () => {
    expect((await loop({ clipNorm: 2 })).settings[0]).toEqual({ learningRate: 0.5, clipNorm: 2 });
    expect((await loop({})).settings[0]).toEqual({ learningRate: 0.5 });
  });

  it('asks anew for each step what it is, and waits for what it is fed and for what follows it', async () => {
    const order: string[] = [];
    const run: TrainingStep['run'] = async (inputs) => {
      order.push(`run ${inputs.get('step')?.[0]}`);
      return { loss: 1, outputs: new Map() };
    };
    const onStep = async ({ step, label }: LoopStep) => {
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`after ${step} ${label}`);
    };
    await loop({ startStep: 9, run, onStep, labels: ['a', 'b'] });
    expect(order).toEqual(['run 9', 'after 10 b', 'run 10', 'after 11 a', 'run 11', 'after 12 b']);
  });

  describe('with steps in parts', () => {
    /** Logits of two classes for four images, and a part of the loss. */
    const result = (loss: number) => ({
      loss,
      outputs: new Map([
        ['logits', Float32Array.of(loss, 0, loss, 1, loss, 2, loss, 3)],
        ['kd', Float32Array.of(loss * 10)],
      ]),
    });

    it('keeps the gradients of all parts but the last, and tells all of them as one step', async () => {
      const order: string[] = [];
      let calls = 0;
      const results: LoopStep['result'][] = [];
      const sizes: number[] = [];
      const { done, seen, epochs, fed, parts } = await loop({
        accumulate: 2,
        keep: async () => {
          order.push('keep');
          return result(++calls);
        },
        run: async () => {
          order.push('run');
          return { ...result(++calls), gradientNorm: 9 };
        },
        onStep: ({ result: one, batch }) => {
          results.push(one);
          sizes.push(batch.size);
        },
      });
      // 5 batches an epoch are 2 steps of two; the fifth is left out.
      expect(epochs.map(([, step]) => step)).toEqual([2, 4, 6, 8, 10, 12]);
      expect([done, seen.length, new Set(sizes)]).toEqual([12, 12, new Set([8])]);
      expect(order).toEqual(Array.from({ length: 12 }, () => ['keep', 'run']).flat());
      expect(fed.slice(0, 6)).toEqual([0, 0, 1, 1, 2, 2]);
      expect(parts.slice(0, 6)).toEqual([0, 1, 0, 1, 0, 1]);
      expect(results[0]).toEqual({
        loss: 1.5,
        gradientNorm: 9,
        outputs: new Map([
          ['logits', Float32Array.of(1, 0, 1, 1, 1, 2, 1, 3, 2, 0, 2, 1, 2, 2, 2, 3)],
          ['kd', Float32Array.of(15)],
        ]),
      });
      const whole = await loop({});
      expect(seen[0]?.indices).toEqual([...(whole.seen[0]?.indices ?? []), ...(whole.seen[1]?.indices ?? [])]);
      expect(seen[2]?.indices).toEqual([...(whole.seen[5]?.indices ?? []), ...(whole.seen[6]?.indices ?? [])]);
    });

    it.each([1, 2, 5])('from step %i on does what the whole run does', async (startStep) => {
      const parts = { accumulate: 2, keep: async () => result(1), run: async () => result(2) };
      const whole = await loop(parts);
      expect((await loop({ ...parts, startStep })).seen).toEqual(whole.seen.slice(startStep));
    });

    it('finishes the step when it is stopped between its parts', async () => {
      const controller = new AbortController();
      let kept = 0;
      const keep = async () => {
        if (++kept === 3) controller.abort();
        return result(1);
      };
      const { done, seen } = await loop({ accumulate: 2, keep, run: async () => result(2), controller });
      expect([done, seen.length, kept]).toEqual([3, 3, 3]);
    });
  });

  it('tells how long it waited for the batches of a step, and not how long the step took', async () => {
    const slow: TrainingStep['run'] = async () => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return { loss: 1, outputs: new Map() };
    };
    const { waits } = await loop({ startStep: 10, late: 40, run: slow });
    expect(waits).toHaveLength(2);
    // Timers may be early by a millisecond, and late on a busy machine.
    for (const wait of waits) expect(wait).toSatisfy((ms: number) => ms >= 38 && ms < 150);
    const keep = async () => ({ loss: 1, outputs: new Map() });
    const parts = await loop({ startStep: 11, late: 40, accumulate: 2, keep });
    expect(parts.waits[0]).toBeGreaterThanOrEqual(76);
  });

  it('says which step diverged', async () => {
    let steps = 0;
    const run: TrainingStep['run'] = async () => {
      if (++steps === 3) throw new TrainingError('loss is NaN');
      return { loss: 1, outputs: new Map() };
    };
    await expect(loop({ run })).rejects.toThrow(new TrainingError('step 3: loss is NaN'));
  });
});

describe('modelEntries', () => {
  const data: DataFacts = { channels: 1, classes: 3, image: [8, 8], preprocess: { mean: [0], std: [1] } };
  const settings = { patch: 4, depth: 1, width: 8, heads: 2, distillation_token: true, register_tokens: 2 };
  const spec = resolveModel(modelSchema.parse(settings), data);

  it('decay matrices only', () => {
    const entries = modelEntries(spec, initialise(spec, 0), { trained: true, weightDecay: 0.05 });
    const decayed = [...entries].filter(([, { rule }]) => rule.weightDecay === 0.05).map(([name]) => name);
    expect(decayed.sort()).toEqual(
      [
        'patch_embed.proj.weight',
        'blocks.0.attn.qkv.weight',
        'blocks.0.attn.proj.weight',
        'blocks.0.mlp.fc1.weight',
        'blocks.0.mlp.fc2.weight',
        'head.weight',
        'head_dist.weight',
      ].sort(),
    );
    expect([...entries.values()].every(({ rule }) => rule.weightDecay === 0.05 || rule.weightDecay === 0)).toBe(true);
  });

  it('have the values and shapes of the model', () => {
    const values = initialise(spec, 0);
    const entries = modelEntries(spec, values, { trained: false });
    expect([...entries.keys()]).toEqual([...values.keys()]);
    for (const [name, { spec: tensor, values: own, rule }] of entries) {
      expect(own).toBe(values.get(name));
      expect(tensor.shape.reduce((product, size) => product * size, 1)).toBe(own.length);
      expect(rule).toEqual({ trained: false, weightDecay: 0, learningRateScale: 1 });
    }
  });
});
