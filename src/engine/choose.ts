/**
 * Chooses the device for `--device auto`: by measurement, not by name, since a Vulkan driver that computes on the CPU looks
 * like a GPU to everybody who asks it.
 */
import { type ProbeResult, probe, speedText } from './probe.js';
import { type EngineName, type EngineTarget, targetName, targetsOf } from './targets.js';

/**
 * So much faster than the CPU a device has to be at matrix products. A step does other work as well, for which the device
 * wins less; and two devices that are about as fast must not take turns from run to run.
 */
const MARGIN = 1.5;

/** What was chosen. */
export interface DeviceChoice {
  readonly device: string;
  /** One line for the user: `device: ort/cpu (ort/webgpu: not available: ...)`. */
  readonly text: string;
  /** Of everything that was tried. */
  readonly results: readonly ProbeResult[];
}

/** What a device is chosen for. */
export interface ChooseOptions {
  /** Threads of the CPU device; default: the engine's own choice. */
  readonly threads?: number;
  /** Steps are done in parts, which not every device can. */
  readonly accumulate?: boolean;
  /** Tries a device; default {@link probe}. */
  readonly tryTarget?: typeof probe;
}

/**
 * The fastest device of `engine` that works on this machine. Each is tried in a process of its own, one after the other, so a
 * driver that crashes or hangs only loses. The CPU is taken untried where nothing else works.
 */
export async function chooseDevice(engine: EngineName, options: ChooseOptions = {}): Promise<DeviceChoice> {
  const { threads, accumulate = false, tryTarget = probe } = options;
  const attempt = (target: EngineTarget): Promise<ProbeResult> =>
    tryTarget(target, { speed: true, ...(threads === undefined ? {} : { threads }) });
  const targets = targetsOf(engine);
  const cpu = targets.find(({ processor }) => processor === 'cpu') as EngineTarget;
  const others = targets.filter((target) => target !== cpu && (!accumulate || target.accumulates));
  const left = targets.filter((target) => target !== cpu && !others.includes(target));
  const results: ProbeResult[] = [];
  for (const target of others) results.push(await attempt(target));
  const working = results.filter(isMeasured).sort((a, b) => b.speed - a.speed);
  const best = working[0];
  const notes = [
    ...results.filter((result) => result !== best).map(told),
    ...left.map((target) => `${targetName(target)}: does no steps in parts (train.accumulate)`),
  ];
  const choice = (target: Pick<EngineTarget, 'engine' | 'device'>, why: readonly string[]): DeviceChoice => ({
    device: target.device,
    text: `device: ${targetName(target)} (${why.join('; ')})`,
    results,
  });
  if (best === undefined) return choice(cpu, notes);
  const own = await attempt(cpu);
  results.unshift(own);
  if (isMeasured(own) && best.speed < MARGIN * own.speed) {
    return choice(cpu, [speedText(own.speed), told(best), ...notes]);
  }
  return choice(best, [speedText(best.speed), told(own), ...notes]);
}

function isMeasured(result: ProbeResult): result is ProbeResult & { readonly speed: number } {
  return result.status === 'ok' && result.speed !== undefined;
}

/** `ort/webgpu: 0.4 GFLOP/s`, or what is wrong with it. */
function told(result: ProbeResult): string {
  const outcome = isMeasured(result) ? speedText(result.speed) : `${result.status}: ${result.detail}`;
  return `${targetName(result)}: ${outcome}`;
}
