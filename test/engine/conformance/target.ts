/**
 * One engine on one device under test. Whether this machine has it, the probe tells, the one that `wave doctor` shows; where
 * it does not, the tests are skipped with the reason in their name, unless they are required.
 */
import { createEngine } from '#wave/engine/create.js';
import { createOrtEngine } from '#wave/engine/ort/engine.js';
import { type ProbeTarget, probe } from '#wave/engine/probe.js';
import type { Engine } from '#wave/engine/types.js';
import { isRequired } from '../../support/required-engines.js';

/** As many as a small machine has, so that numbers depend on the number of cores nowhere. */
export const THREADS = 2;

/** The engine and device that all others are compared with. */
export const REFERENCE = 'ort/cpu';

/** Floating-point operations per second in matrix products. */
const SLOW = 5e9;

/** What the tests of one target go by. */
export interface Conforming {
  /** `ort/cpu` for example. */
  readonly name: string;
  readonly target: ProbeTarget;
  readonly present: boolean;
  readonly required: boolean;
  /** What the probe tells. */
  readonly told: string;
  /** A GPU driver that computes on the CPU: what takes it minutes is left to the others. */
  readonly slow: boolean;
}

// NVIDIA's shorter floats are switched off: tolerances are those of float32.
process.env.NVIDIA_TF32_OVERRIDE ??= '0';

/** Tries the target. */
export async function tryTarget(name: string): Promise<Conforming> {
  const [engine, device] = name.split('/') as [ProbeTarget['engine'], string];
  const target = { engine, device };
  const { status, detail, speed = 0 } = await probe(target, { speed: true });
  const required = name === REFERENCE || isRequired(name);
  return { name, target, present: status === 'ok', required, told: `${status}: ${detail}`, slow: speed < SLOW };
}

/** The engine as every command makes it. */
export function engineOn({ engine: name, device }: ProbeTarget): Promise<Engine> {
  return createEngine({ name, device, threads: THREADS });
}

/** The same, made such that it tells gradients; on some devices they otherwise never leave the step. */
export async function gradientEngineOn(target: ProbeTarget): Promise<Engine> {
  if (target.engine !== 'ort') return engineOn(target);
  return createOrtEngine({ device: target.device as 'cpu', threads: THREADS, optimiser: 'host' });
}
