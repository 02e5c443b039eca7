/** A very small model on drawn images, and a context that remembers what a stage tells. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StageContext, StageEvent } from '#wave/stages/context.js';
import { pretrainSchema } from '#wave/stages/pretrain.js';

/** Settings that train in about a second: 27,000 parameters, 16 steps an epoch. */
export const PICO = {
  seed: 3,
  model: { patch: 4, depth: 2, width: 32, heads: 2 },
  data: { source: 'synthetic', synthetic: { image: 16, classes: 4, train: 256, test: 130 } },
  train: { epochs: 2, batch: 32, lr: 3e-3, log_every: 4 },
  eval: { batch: 50 },
  engine: { threads: 1 },
} as const;

/** The checked settings, with some blocks changed. */
export function pico(changes: Partial<Record<keyof typeof PICO, object | number>> = {}) {
  const merged = Object.entries(PICO).map(([key, value]) => {
    const change = changes[key as keyof typeof PICO];
    return [key, typeof value === 'object' && typeof change === 'object' ? { ...value, ...change } : (change ?? value)];
  });
  return pretrainSchema.parse(Object.fromEntries(merged));
}

export interface TestContext extends StageContext {
  readonly events: StageEvent[];
  readonly stop: () => void;
}

/** `onEvent` may call `stop`, as a user may at any moment. */
export function context(onEvent: (event: StageEvent, stop: () => void) => void = () => {}): TestContext {
  const controller = new AbortController();
  const events: StageEvent[] = [];
  const stop = () => controller.abort();
  const emit = (event: StageEvent) => {
    events.push(event);
    onEvent(event, stop);
  };
  return { events, stop, emit, signal: controller.signal, command: 'wave test' };
}

/** Bytes of all files of a folder, by name. */
export function filesIn(dir: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'base64')]));
}

/** As another call: what it writes names its own command. */
export function laterContext(): TestContext {
  return { ...context(), command: 'wave test --resume' };
}

/** What a run tells that finds all its work done. */
export const nothingLeft = (dir: string) => ({
  type: 'note',
  text: `nothing left to do: ${dir} holds a finished run`,
});
