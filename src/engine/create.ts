/** From an engine's name to the engine. */
import { ConfigError } from '../base/errors.js';
import type { EngineConfig } from '../config/engine-schema.js';
import { createOrtEngine } from './ort/engine.js';
import { AUTO, type DeviceOf, targetsOf } from './targets.js';
import type { Engine } from './types.js';

/** An engine and one of its devices. */
export type EngineChoice =
  | { readonly name: 'ort'; readonly device: DeviceOf<'ort'> }
  | { readonly name: 'tensorflow'; readonly device: DeviceOf<'tensorflow'> };

/**
 * @throws ConfigError for a device that the engine does not have: nothing falls back to another one silently. Also for
 * `auto`, in place of which `chooseDevice` has to find one first.
 * @throws EngineError when the engine is not installed or this machine does not have the device.
 */
export async function createEngine(config: EngineConfig): Promise<Engine> {
  if (config.device === AUTO) throw new ConfigError(`engine.device: ${AUTO} is no device; chooseDevice finds one`);
  checkEngine(config);
  const choice = config as EngineChoice;
  const threads = config.threads === null ? {} : { threads: config.threads };
  if (choice.name === 'ort') return createOrtEngine({ device: choice.device, ...threads });
  // Only here, so that the package it needs may be absent.
  const { createTensorflowEngine } = await import('./tensorflow/engine.js');
  return createTensorflowEngine({ device: choice.device, ...threads });
}

/**
 * Checks that engine and device are ones of this version, without starting anything; the device may be `auto`. Whether the
 * machine has the device shows when something is compiled for it.
 *
 * @throws ConfigError
 */
export function checkEngine({ name, device }: Pick<EngineConfig, 'name' | 'device'>): void {
  const devices = [...targetsOf(name).map((target) => target.device), AUTO];
  if (devices.includes(device)) return;
  throw new ConfigError(
    `engine.device: engine ${name} has no device '${device}': choose one of ${devices.join(', ')} (see wave doctor)`,
  );
}
