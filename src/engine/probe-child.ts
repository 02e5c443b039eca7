/**
 * Process that tries one engine on one device and sends the outcome to its parent. It is a process of its own because
 * a broken driver can crash or hang whoever touches it. Started by probe.ts as `probe-child.js ENGINE DEVICE`.
 */
import { forbidTelemetry } from './ort-environment.js';
import { PROBE_SIZE, probeData, probeModel } from './probe-model.js';

/** What the child sends: the product it computed, and how long the first run took. */
export interface ProbeMessage {
  readonly error?: string;
  /** True if the library could not be loaded, or the device was there and failed when it was used. */
  readonly broken?: boolean;
  readonly product?: readonly number[];
  readonly milliseconds?: number;
}

const shape = [PROBE_SIZE, PROBE_SIZE];

async function tryOrt(device: string): Promise<ProbeMessage> {
  const ort = await mustWork(() => import('onnxruntime-node'));
  const { a, b } = probeData();
  const start = performance.now();
  const session = await ort.InferenceSession.create(probeModel(), {
    executionProviders: [device],
    // Without this a device that cannot run the model would quietly leave it to the CPU.
    extra: device === 'cpu' ? {} : { 'session.disable_cpu_ep_fallback': '1' },
    // Errors arrive as exceptions; onnxruntime's own log would only repeat them.
    logSeverityLevel: 4,
  });
  const feeds = { a: new ort.Tensor('float32', a, shape), b: new ort.Tensor('float32', b, shape) };
  const output = await mustWork(() => session.run(feeds));
  const product = Array.from(output.c.data, Number);
  return { product, milliseconds: performance.now() - start };
}

/** Something failed that works on every machine that has the device. */
class BrokenError extends Error {}

async function mustWork<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new BrokenError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function main(): Promise<void> {
  forbidTelemetry();
  const [, device] = process.argv.slice(2);
  let message: ProbeMessage;
  try {
    message = await tryOrt(device);
  } catch (error) {
    message = {
      error: error instanceof Error ? error.message : String(error),
      broken: error instanceof BrokenError,
    };
  }
  // The exit is forced: threads of a half-initialised driver may never end.
  process.send?.(message, () => process.exit(0));
}

await main();
