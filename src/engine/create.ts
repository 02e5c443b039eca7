/** From an engine's name to the engine. */
import { EngineError } from '../base/errors.js';
import type { EngineConfig } from '../config/engine-schema.js';
import { createOrtEngine, ORT_DEVICES, type OrtDevice } from './ort/engine.js';
import type { Engine } from './types.js';

/**
 * @throws EngineError when the engine or device is not to be had: nothing falls back to another one silently.
 */
export function createEngine({ name, device, threads }: EngineConfig): Engine {
  if (name !== 'ort') {
    throw new EngineError(`engine ${name} is not part of this version: use --engine ort`);
  }
  if (!isOrtDevice(device)) {
    throw new EngineError(`engine ort has no device '${device}': choose ${ORT_DEVICES.join(' or ')} (see wave doctor)`);
  }
  return createOrtEngine({ device, ...(threads === null ? {} : { threads }) });
}

function isOrtDevice(device: string): device is OrtDevice {
  return (ORT_DEVICES as readonly string[]).includes(device);
}
