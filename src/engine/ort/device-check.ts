/**
 * Tries a device in a process of its own before the engine's thread touches it: what a driver prints when it cannot
 * start is kept from the user, who gets one line, and a driver that crashes or hangs does not take this process with it.
 */
import { EngineError } from '../../base/errors.js';
import { type ProbeResult, probe } from '../probe.js';

/** What to do about a device that does not work, where `wave doctor` is not all. */
const ADVICE: Readonly<Record<string, string>> = {
  cuda:
    "it needs Linux on x64, an NVIDIA GPU, CUDA 12, cuDNN 9 and onnxruntime's own part, which comes with " +
    '"node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12"; see docs/engines.md',
};

/** Each device is tried once in the life of a process. */
const tried = new Map<string, Promise<ProbeResult>>();

/** @throws EngineError in one line when the device is not there or does not compute. */
export async function checkDevice(device: string): Promise<void> {
  if (device === 'cpu') return;
  const result = tried.get(device) ?? probe({ engine: 'ort', device });
  tried.set(device, result);
  const { status, detail } = await result;
  if (status === 'ok') return;
  throw new EngineError(
    `engine ort: device ${device} cannot be used: ${detail}; ${ADVICE[device] ?? 'see wave doctor'}`,
  );
}
