/** From an engine's name to the engine. */
import { ConfigError } from '../base/errors.js';
import type { EngineConfig } from '../config/engine-schema.js';
import { createOrtEngine, ORT_DEVICES, type OrtDevice } from './ort/engine.js';
import type { Engine } from './types.js';

/**
 * @throws ConfigError for a device that the engine does not have: nothing falls back to another one silently.
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
 * @throws ConfigError
 */
export function checkEngine({ device }: EngineConfig): OrtDevice {
  if (!isOrtDevice(device)) {
    throw new ConfigError(
      `engine.device: engine ort has no device '${device}': choose ${ORT_DEVICES.join(' or ')} (see wave doctor)`,
    );
  }
  return device;
}

function isOrtDevice(device: string): device is OrtDevice {
  return (ORT_DEVICES as readonly string[]).includes(device);
}
