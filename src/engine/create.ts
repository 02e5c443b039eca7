/** From an engine's name to the engine. */
import { ConfigError } from '../base/errors.js';
import type { EngineConfig } from '../config/engine-schema.js';
import { createOrtEngine, ORT_DEVICES, type OrtDevice } from './ort/engine.js';
import { TENSORFLOW_DEVICES, type TensorflowDevice } from './tensorflow/devices.js';
import type { Engine } from './types.js';

/** An engine and one of its devices. */
export type EngineChoice =
  | { readonly name: 'ort'; readonly device: OrtDevice }
  | { readonly name: 'tensorflow'; readonly device: TensorflowDevice };

/** Devices by engine. */
const DEVICES: Readonly<Record<EngineConfig['name'], readonly string[]>> = {
  ort: ORT_DEVICES,
  tensorflow: TENSORFLOW_DEVICES,
};

/**
 * @throws ConfigError for a device that the engine does not have: nothing falls back to another one silently.
 * @throws EngineError when the engine is not installed or this machine does not have the device.
 */
export async function createEngine(config: EngineConfig): Promise<Engine> {
  const choice = checkEngine(config);
  const threads = config.threads === null ? {} : { threads: config.threads };
  if (choice.name === 'ort') return createOrtEngine({ device: choice.device, ...threads });
  // Only here, so that the package it needs may be absent.
  const { createTensorflowEngine } = await import('./tensorflow/engine.js');
  return createTensorflowEngine({ device: choice.device, ...threads });
}

/**
 * Checks that engine and device are ones of this version, without starting anything. Whether the machine has the device
 * shows when something is compiled for it.
 *
 * @throws ConfigError
 */
export function checkEngine({ name, device }: Pick<EngineConfig, 'name' | 'device'>): EngineChoice {
  const devices = DEVICES[name];
  if (!devices.includes(device)) {
    throw new ConfigError(
      `engine.device: engine ${name} has no device '${device}': choose ${devices.join(' or ')} (see wave doctor)`,
    );
  }
  return { name, device } as EngineChoice;
}
