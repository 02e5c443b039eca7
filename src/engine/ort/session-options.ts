/** How the engine's worker opens sessions of its own graphs, and what it says when a device cannot be had. */
import * as ort from 'onnxruntime-node';
import { EngineError } from '../../base/errors.js';
import { ortMessage } from '../ort-message.js';
import type { SessionSettings } from './worker-protocol.js';

type Options = ort.InferenceSession.SessionOptions;

/** onnxruntime's severity from which it logs: errors. */
const LOG_ERRORS = 3;

/** @throws EngineError naming the device, when it is another than the CPU and cannot be used. */
export async function openSession(model: Uint8Array, settings: SessionSettings, more: Options = {}) {
  try {
    return await ort.InferenceSession.create(model, { ...sessionOptions(settings), ...more });
  } catch (error) {
    if (settings.device === 'cpu' || !(error instanceof Error)) throw error;
    throw new EngineError(`device ${settings.device} cannot be used: ${ortMessage(error.message)}; see wave doctor`);
  }
}

function sessionOptions({ device, threads, profile, resident = [] }: SessionSettings): Options {
  return {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // One block planned for a whole run takes 40 % more memory than blocks taken and given back, and is no faster.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    logSeverityLevel: LOG_ERRORS,
    // Idle threads must not spin on between steps: the optimiser and the data loader want the cores.
    // A node that the device cannot run is an error, not a silent detour over the CPU.
    extra: { session: { force_spinning_stop: '1', ...(device === 'cpu' ? {} : { disable_cpu_ep_fallback: '1' }) } },
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    ...(resident.length === 0
      ? {}
      : { preferredOutputLocation: Object.fromEntries(resident.map((name) => [name, 'gpu-buffer'])) }),
  };
}
