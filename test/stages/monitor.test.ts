import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Monitor } from '#wave/stages/monitor.js';
import { LOGITS, type LoopStep, MetricsLog } from '#wave/train/index.js';
import { context } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-monitor-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What some steps have besides. */
interface Parts {
  readonly outputs?: Readonly<Record<string, readonly number[]>>;
  readonly label?: string;
  readonly dataWait?: number;
}

/** A monitor with a clock that the test sets; batches of two images and two classes. */
function open(options: { readonly steps: number; readonly logEvery: number }) {
  const path = join(folder, 'metrics.jsonl');
  const clock = { time: 0 };
  const told = context();
  const metrics = MetricsLog.create(path);
  const monitor = new Monitor({ ...options, context: told, metrics, batch: 2, classes: 2, now: () => clock.time });
  /** One step of `milliseconds`, `right` of whose two images are classified right. */
  const step = (number: number, milliseconds: number, loss = 1, right = 2, more: Parts = {}) => {
    clock.time += milliseconds;
    const event = {
      step: number,
      epoch: 0,
      learningRate: 0.1,
      batch: { labels: Int32Array.of(0, 0), size: 2 } as LoopStep['batch'],
      result: {
        loss,
        gradientNorm: 3,
        outputs: new Map([
          [LOGITS, Float32Array.of(right > 0 ? 1 : 0, 0.5, right > 1 ? 1 : 0, 0.5)],
          ...Object.entries(more.outputs ?? {}).map(([name, values]) => [name, Float32Array.from(values)] as const),
        ]),
      },
      dataWait: more.dataWait ?? 0,
      ...(more.label === undefined ? {} : { label: more.label }),
    };
    monitor.step(event);
  };
  const lines = () =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  return { monitor, clock, step, lines, events: told.events };
}

describe('Monitor', () => {
  it('reports the means since the last report, every so many steps and at the end', () => {
    const { step, events, lines } = open({ steps: 5, logEvery: 2 });
    step(1, 100, 1, 2);
    step(2, 100, 2, 1);
    step(3, 100, 5, 0);
    step(4, 300, 6, 0);
    step(5, 100, 9, 2);
    expect(events).toEqual([
      expect.objectContaining({ type: 'step', step: 2, steps: 5, loss: 1.5, accuracy: 0.75, imagesPerSecond: 20 }),
      expect.objectContaining({ type: 'step', step: 4, loss: 5.5, accuracy: 0, imagesPerSecond: 10 }),
      expect.objectContaining({ type: 'step', step: 5, loss: 9, accuracy: 1, etaSeconds: 0 }),
    ]);
    expect(events[0]).toMatchObject({ etaSeconds: 0.3 });
    expect(lines()[1]).toEqual({
      step: 4,
      epoch: 0,
      loss: 5.5,
      accuracy: 0,
      learning_rate: 0.1,
      gradient_norm: 3,
      images_per_second: 10,
      data_wait: 0,
    });
  });

  it('averages the parts of the loss, each over the steps that have it, and the loss by label', () => {
    const { step, events, lines } = open({ steps: 4, logEvery: 3 });
    step(1, 100, 1, 2, { outputs: { kd: [0.5], ce: [2], features: [1, 2] }, label: '64x4' });
    step(2, 100, 2, 2, { outputs: { ce: [4] }, label: 'base' });
    step(3, 100, 5, 2, { outputs: { kd: [1.5], ce: [6] }, label: '64x4' });
    step(4, 100, 7, 2);
    expect(events[0]).toMatchObject({ parts: { ce: 4, kd: 1 } });
    expect(lines()[0]).toMatchObject({ ce: 4, kd: 1, loss_64x4: 3, loss_base: 2 });
    expect(lines()[0]).not.toHaveProperty('features');
    expect(events[1]).not.toHaveProperty('parts');
    expect(Object.keys(lines()[1])).toEqual(Object.keys(lines()[0]).filter((name) => !/^(ce|kd|loss_.*)$/.test(name)));
  });

  it('leaves the time of evaluations out, also in the middle of a report', () => {
    const { monitor, clock, step, events } = open({ steps: 4, logEvery: 4 });
    step(1, 100);
    step(2, 100);
    monitor.pause();
    clock.time += 10_000;
    monitor.evaluated(0, 2, { images: 10, top1: 0.5, top5: 1, loss: 2 });
    monitor.resume();
    step(3, 100);
    step(4, 100);
    expect(events.at(-1)).toMatchObject({ type: 'step', imagesPerSecond: 20 });
    expect(monitor.imagesPerSecond).toBe(20);
  });

  it('tells the share of the time that went into waiting for batches, evaluations apart', () => {
    const { monitor, clock, step, events, lines } = open({ steps: 4, logEvery: 2 });
    step(1, 100, 1, 2, { dataWait: 30 });
    step(2, 100, 1, 2, { dataWait: 20 });
    monitor.pause();
    clock.time += 10_000;
    monitor.resume();
    step(3, 500, 1, 2, { dataWait: 1 });
    step(4, 300);
    expect(events).toEqual([
      expect.objectContaining({ step: 2, dataWait: 0.25 }),
      expect.objectContaining({ step: 4, dataWait: 1 / 800 }),
    ]);
    expect(lines().map((line) => line.data_wait)).toEqual([0.25, 0.001]);
    expect(monitor.dataWait).toBe(51 / 1000);
  });

  it('has no speed before the first report', () => {
    expect(open({ steps: 4, logEvery: 2 }).monitor.imagesPerSecond).toBe(0);
  });

  it('tells and writes an evaluation', () => {
    const { monitor, events, lines } = open({ steps: 4, logEvery: 2 });
    monitor.evaluated(1, 4, { images: 10, top1: 0.5, top5: 1, loss: 2 });
    expect(events).toEqual([{ type: 'evaluated', epoch: 1, top1: 0.5, top5: 1, loss: 2, images: 10 }]);
    expect(lines()).toEqual([{ step: 4, epoch: 1, test_top1: 0.5, test_top5: 1, test_loss: 2, test_images: 10 }]);
  });
});
