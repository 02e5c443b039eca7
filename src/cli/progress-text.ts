/** The words of the progress output, shared by the bar and the plain lines. */
import type { StageEvent } from '../stages/context.js';

type Of<Type extends StageEvent['type']> = Extract<StageEvent, { type: Type }>;

/**
 * `step 312/1875 (16 %), epoch 1, loss 1.2345, accuracy 45.2 %, 1234 images/s, 3:21 left`; the parts of the loss, if it
 * has any, stand behind it: `ce 0.1234, kd 0.0456`. From 1 % on it is told how much of the time went into waiting for data.
 */
export function stepText(event: Of<'step'>): string {
  return [
    `step ${event.step}/${event.steps} (${percent(event.step, event.steps)} %)`,
    `epoch ${event.epoch}`,
    `loss ${event.loss.toFixed(4)}`,
    ...Object.entries(event.parts ?? {}).map(([name, value]) => `${name} ${value.toFixed(4)}`),
    `accuracy ${share(event.accuracy)}`,
    `${Math.round(event.imagesPerSecond)} images/s${waitText(event.dataWait)}`,
    `${duration(event.etaSeconds)} left`,
  ].join(', ');
}

/** `, 12 % waiting for data` of a share in 0..1, where it comes to 1 %. */
export function waitText(dataWait: number): string {
  return dataWait >= 0.01 ? `, ${Math.round(100 * dataWait)} % waiting for data` : '';
}

/** `evaluated 2560/10000 images (25 %)`. */
export function evaluatingText({ done, total, verb = 'evaluated' }: Of<'evaluating'>): string {
  return `${verb} ${done}/${total} images (${percent(done, total)} %)`;
}

/** `epoch 3: top-1 87.6 %, top-5 99.1 %, loss 0.4123 on 10000 images`. */
export function evaluatedText(event: Of<'evaluated'>): string {
  const { epoch, top1, top5, loss, images } = event;
  return `epoch ${epoch}: top-1 ${share(top1)}, top-5 ${share(top5)}, loss ${loss.toFixed(4)} on ${images} images`;
}

/** Whole percent, rounded down, so that 100 means done. */
export function percent(done: number, total: number): number {
  return total > 0 ? Math.floor((100 * done) / total) : 100;
}

/** `45.2 %` of a share in 0..1. */
export function share(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

/** `1 step`, `3 steps`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** `3:21` or `1:02:03` of seconds. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const start = hours > 0 ? `${hours}:${pad(minutes)}` : String(minutes);
  return `${start}:${pad(whole % 60)}`;
}
