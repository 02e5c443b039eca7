/**
 * Process that tries one engine on one device and sends the outcome to its parent. It is a process of its own because
 * a broken driver can crash or hang whoever touches it. Started by probe.ts as `probe-child.js ENGINE DEVICE THREADS
 * [speed]`; THREADS is 0 for those of the engine's own choice.
 */
import { EngineError } from '../base/errors.js';
import { forbidTelemetry } from './ort-environment.js';
import { PROBE_SIZE, probeData, probeModel } from './probe-model.js';
import type { EngineName } from './targets.js';
import type { Tensor } from './tf.js';
import type { Engine } from './types.js';

/** What the child sends: the product it computed, and how long the first run took. */
export interface ProbeMessage {
  readonly error?: string;
  /** True if the library could not be loaded, or the device was there and failed when it was used. */
  readonly broken?: boolean;
  readonly product?: readonly number[];
  readonly milliseconds?: number;
  /** Version of the engine's library, where that is not the package's. */
  readonly version?: string;
  /** Floating-point operations per second, if asked for. */
  readonly speed?: number;
}

const shape = [PROBE_SIZE, PROBE_SIZE];

/** Something failed that works on every machine that has the device. */
class BrokenError extends Error {}

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

async function tryTensorflow(make: () => Promise<Engine>): Promise<ProbeMessage> {
  const engine = await make();
  const { tf } = await import('./tf.js');
  const { a, b } = probeData();
  const program = {
    inputs: new Map(['a', 'b'].map((name) => [name, { shape, dtype: 'float32' as const }])),
    run: ({ inputs }: { readonly inputs: ReadonlyMap<string, Tensor> }) =>
      new Map([['c', tf.matMul(inputs.get('a') as Tensor, inputs.get('b') as Tensor)]]),
  };
  const start = performance.now();
  return mustWork(async () => {
    const state = await engine.createState(new Map(), { beta1: 0, beta2: 0, epsilon: 1 });
    const step = await engine.compileInference(program, state, { frozen: true });
    const outputs = await step.run(new Map(Object.entries({ a, b })));
    const product = Array.from(outputs.get('c') ?? []);
    return { product, milliseconds: performance.now() - start, version: engine.version };
  });
}

async function mustWork<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new BrokenError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function tryTarget(words: readonly string[]): Promise<ProbeMessage> {
  const [name, device, threads, wish] = words as [EngineName, string, string, string?];
  // Only where it is needed: whether onnxruntime works shows without all that the engine is made of.
  const make = async () =>
    (await import('./create.js')).createEngine({ name, device, threads: Number(threads) || null });
  const message = name === 'ort' ? await tryOrt(device) : await tryTensorflow(make);
  if (wish !== 'speed') return message;
  const { productSpeed } = await import('./speed.js');
  return { ...message, speed: await mustWork(async () => productSpeed(await make())) };
}

async function main(): Promise<void> {
  forbidTelemetry();
  let message: ProbeMessage;
  try {
    message = await tryTarget(process.argv.slice(2));
  } catch (error) {
    message = {
      error: error instanceof Error ? error.message : String(error),
      // What a library itself has refused is the cause of the error that names it.
      broken: error instanceof BrokenError || (error instanceof EngineError && error.cause !== undefined),
    };
  }
  // The exit is forced: threads of a half-initialised driver may never end.
  process.send?.(message, () => process.exit(0));
}

await main();
