/**
 * Tries a device in a process of its own before the engine's thread touches it: what a driver prints when it cannot
 * start is kept from the user, who gets one line, and a driver that crashes or hangs does not take this process with it.
 */
import { EngineError } from '../../base/errors.js';
import { type ProbeResult, probe } from '../probe.js';

/** Each device is tried once in the life of a process. */
const tried = new Map<string, Promise<ProbeResult>>();

/** @throws EngineError in one line when the device is not there or does not compute. */
export async function checkDevice(device: string): Promise<void> {
  if (device === 'cpu') return;
  const result = tried.get(device) ?? probe({ engine: 'ort', device });
  tried.set(device, result);
  const { status, detail, fix } = await result;
  if (status === 'ok') return;
  const advice = fix === undefined ? '' : `${fix}; `;
  throw new EngineError(`engine ort: device ${device} cannot be used: ${detail}; ${advice}see wave doctor`);
}
