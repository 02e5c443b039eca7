/** What a person sees of a running stage: plain lines with a fake clock, and the live line on a fake terminal. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openProgress } from '#wave/cli/progress.js';
import type { StageEvent } from '#wave/stages/context.js';
import { Screen } from './screen.js';
import { Sink } from './support.js';

// The colours of ora depend on the real stderr; this makes them depend on our decision alone.
process.env.FORCE_COLOR = '1';

function step(number: number, steps: number): StageEvent {
  return {
    type: 'step',
    step: number,
    steps,
    epoch: 1,
    loss: 1.23456,
    accuracy: 0.4567,
    learningRate: 1e-3,
    imagesPerSecond: 1234.4,
    dataWait: 0.004,
    etaSeconds: 201,
  };
}

const evaluated: StageEvent = { type: 'evaluated', epoch: 1, top1: 0.876, top5: 0.991, loss: 0.4123, images: 10000 };

async function plain(env: Record<string, string> = {}) {
  const stream = new Sink();
  const clock = { time: 0 };
  const progress = await openProgress({ mode: 'auto', stream, env, now: () => clock.time });
  return { progress, clock, lines: () => stream.text.split('\n').slice(0, -1) };
}

describe('plain lines', () => {
  it('say all there is to know about a step', async () => {
    const { progress, lines } = await plain();
    progress.emit(step(312, 1875));
    expect(lines()).toEqual([
      'wave: step 312/1875 (16 %), epoch 1, loss 1.2346, accuracy 45.7 %, 1234 images/s, 3:21 left',
    ]);
  });

  it('tell how much of the time went into waiting for data, from 1 % on', async () => {
    const { progress, lines } = await plain();
    progress.emit({ ...step(312, 1875), dataWait: 0.123 } as StageEvent);
    expect(lines()[0]).toContain(', 1234 images/s, 12 % waiting for data, 3:21 left');
  });

  it('tell the parts of the loss behind it', async () => {
    const { progress, lines } = await plain();
    progress.emit({ ...step(312, 1875), parts: { ce: 0.12344, kd: 0.0456 } } as StageEvent);
    expect(lines()[0]).toContain(', loss 1.2346, ce 0.1234, kd 0.0456, accuracy 45.7 %,');
  });

  it('come for the first step, every 5 % and the last step while time stands still', async () => {
    const { progress, lines } = await plain();
    for (let i = 1; i <= 1000; i++) progress.emit(step(i, 1000));
    const steps = lines().map((line) => Number(/step (\d+)/.exec(line)?.[1]));
    expect(steps).toEqual([1, ...Array.from({ length: 20 }, (_, i) => 50 * (i + 1))]);
  });

  it('come every 30 s when steps are slow', async () => {
    const { progress, clock, lines } = await plain();
    for (let i = 1; i <= 10; i++) {
      progress.emit(step(i, 100_000));
      clock.time += 10_000;
    }
    expect(lines().map((line) => /step (\d+)/.exec(line)?.[1])).toEqual(['1', '4', '7', '10']);
  });

  it('begin anew with another training', async () => {
    const { progress, lines } = await plain();
    for (let round = 0; round < 2; round++) for (const number of [1, 2, 3, 100]) progress.emit(step(number, 100));
    expect(lines().map((line) => /step (\d+)/.exec(line)?.[1])).toEqual(['1', '100', '1', '100']);
  });

  it('begin anew with another training that is first heard of at a later step', async () => {
    const { progress, lines } = await plain();
    for (const [number, steps] of [
      [10, 10],
      [10, 500],
      [30, 500],
      [10, 10],
      [10, 10],
    ]) {
      progress.emit(step(number, steps));
    }
    expect(lines().map((line) => /step (\S+)/.exec(line)?.[1])).toEqual(['10/10', '10/500', '10/10', '10/10']);
  });

  it('leave short evaluations to the line of their result', async () => {
    const { progress, clock, lines } = await plain();
    for (let round = 0; round < 3; round++) {
      for (let done = 250; done <= 10_000; done += 250) {
        clock.time += 700;
        progress.emit({ type: 'evaluating', done, total: 10_000 });
      }
      progress.emit(evaluated);
    }
    expect(lines()).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^wave: epoch 1: top-1 87\.6 %/)));
  });

  it('come every 30 s in a long evaluation', async () => {
    const { progress, clock, lines } = await plain();
    for (let done = 1000; done <= 8000; done += 1000) {
      clock.time += 15_000;
      progress.emit({ type: 'evaluating', done, total: 10_000 });
    }
    expect(lines()).toEqual(
      ['3000/10000 images (30 %)', '5000/10000 images (50 %)', '7000/10000 images (70 %)'].map(
        (text) => `wave: evaluated ${text}`,
      ),
    );
  });

  it('tell phases, notes, warnings and results', async () => {
    const { progress, lines } = await plain();
    progress.emit({ type: 'phase', text: 'training' });
    progress.emit({ type: 'note', text: 'effective batch size 128' });
    progress.emit({ type: 'warning', text: 'few images' });
    progress.emit(evaluated);
    expect(lines()).toEqual([
      'wave: training',
      'wave: effective batch size 128',
      'wave: warning: few images',
      'wave: epoch 1: top-1 87.6 %, top-5 99.1 %, loss 0.4123 on 10000 images',
    ]);
  });

  it.each([
    [59.6, '1:00'],
    [3723, '1:02:03'],
    [-1, '0:00'],
    [Number.POSITIVE_INFINITY, '?'],
  ])('show %d s as %s', async (etaSeconds, text) => {
    const { progress, lines } = await plain();
    progress.emit({ ...step(1, 2), type: 'step', etaSeconds } as StageEvent);
    expect(lines()[0].endsWith(`, ${text} left`)).toBe(true);
  });

  it.each([
    ['auto', { CI: 'true' }],
    ['auto', { TERM: 'dumb' }],
    ['bar', { TERM: 'dumb' }],
    ['plain', {}],
  ] as const)('are used on a terminal with --progress %s and %j', async (mode, env) => {
    const stream = new Sink({ columns: 80 });
    const progress = await openProgress({ mode, stream, env, now: () => 0 });
    progress.emit({ type: 'phase', text: 'training' });
    progress.close();
    expect(stream.text).toBe('wave: training\n');
  });

  it('are used on a terminal that says it has no columns', async () => {
    const stream = new Sink({ columns: 0 });
    const progress = await openProgress({ mode: 'bar', stream, env: {}, now: () => 0 });
    progress.emit({ type: 'phase', text: 'training' });
    progress.close();
    expect(stream.text).toBe('wave: training\n');
  });

  it('are not written with --progress none', async () => {
    const stream = new Sink({ columns: 80 });
    const progress = await openProgress({ mode: 'none', stream, env: {}, now: () => 0 });
    progress.emit(step(1, 2));
    progress.emit(evaluated);
    progress.close();
    expect(stream.text).toBe('');
  });
});

describe('bar', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  async function bar(env: Record<string, string>, mode: 'auto' | 'bar' = 'auto') {
    const screen = new Screen(140);
    const progress = await openProgress({ mode, stream: screen, env, now: () => 0 });
    return { progress, screen };
  }

  it('is one line that changes in place', async () => {
    const { progress, screen } = await bar({});
    progress.emit({ type: 'phase', text: 'training' });
    for (const number of [300, 600, 900]) {
      progress.emit(step(number, 1200));
      vi.advanceTimersByTime(200);
    }
    expect(screen.visible()).toHaveLength(1);
    expect(screen.visible()[0]).toMatch(
      /^\S training \[############----\] step 900\/1200 \(75 %\), epoch 1, loss 1\.2346, accuracy 45\.7 %, 1234 images\/s, 3:21 left$/,
    );
    progress.close();
  });

  it('keeps results and warnings above itself and leaves nothing else behind', async () => {
    const { progress, screen } = await bar({});
    progress.emit({ type: 'warning', text: 'few images' });
    progress.emit({ type: 'phase', text: 'evaluating' });
    progress.emit({ type: 'evaluating', done: 50, total: 100 });
    vi.advanceTimersByTime(200);
    progress.emit(evaluated);
    vi.advanceTimersByTime(200);
    const kept = ['warning: few images', 'epoch 1: top-1 87.6 %, top-5 99.1 %, loss 0.4123 on 10000 images'];
    expect(screen.visible()).toEqual([
      ...kept,
      expect.stringMatching(/^\S evaluating \[########--------\] evaluated 50\/100 images \(50 %\)$/),
    ]);
    progress.close();
    expect(screen.visible()).toEqual(kept);
  });

  it('hides the cursor and gives it back', async () => {
    const { progress, screen } = await bar({});
    expect(screen.cursorHidden).toBe(true);
    progress.close();
    expect(screen.cursorHidden).toBe(false);
  });

  it.each([
    [{}, true],
    [{ NO_COLOR: '1' }, false],
  ])('with %j is coloured: %s', async (env, coloured) => {
    const { progress, screen } = await bar(env);
    progress.emit(step(1, 2));
    vi.advanceTimersByTime(200);
    progress.close();
    expect(screen.coloured).toBe(coloured);
  });

  it('can be asked for where CI is set', async () => {
    const { progress, screen } = await bar({ CI: 'true' }, 'bar');
    expect(screen.visible()).toEqual([expect.stringMatching(/^\S starting$/)]);
    progress.close();
  });
});
