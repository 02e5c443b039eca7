/** From an engine's name to the engine. */
import { EngineError } from '../base/errors.js';
import type { EngineConfig } from '../config/engine-schema.js';
import { createOrtEngine, ORT_DEVICES, type OrtDevice } from './ort/engine.js';
import type { Engine } from './types.js';

/**
 * @throws EngineError when the engine or device is not to be had: nothing falls back to another one silently.
 */
export function createEngine(config: EngineConfig): Engine {
  const device = checkEngine(config);
  return createOrtEngine({ device, ...(config.threads === null ? {} : { threads: config.threads }) });
}

/**
 * Checks that engine and device are ones of this version, without starting anything. Whether the machine has the device
 * shows when something is compiled for it.
 *
 * @returns the device
 * @throws EngineError
 */
export function checkEngine({ name, device }: EngineConfig): OrtDevice {
  if (name !== 'ort') {
    throw new EngineError(`engine ${name} is not part of this version: use --engine ort`);
  }
  if (!isOrtDevice(device)) {
    throw new EngineError(`engine ort has no device '${device}': choose ${ORT_DEVICES.join(' or ')} (see wave doctor)`);
  }
  return device;
}

function isOrtDevice(device: string): device is OrtDevice {
  return (ORT_DEVICES as readonly string[]).includes(device);
}
