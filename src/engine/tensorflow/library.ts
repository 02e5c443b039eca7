/**
 * Loads TensorFlow, once in a process. What its library reads from the environment is set before: it computes on one
 * device with one number of threads for as long as the process lives, and says nothing on its own.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import util from 'node:util';
import { EngineError } from '../../base/errors.js';
import { installedVersion } from '../installed-version.js';
import type { DeviceOf } from '../targets.js';
import { type TensorInfo, tf } from '../tf.js';

/** The npm package that binds TensorFlow to tfjs. */
export const PACKAGE = '@tensorflow/tfjs-node-gpu';
/** Name of its backend in tfjs. */
export const BACKEND = 'tensorflow';
/** Log level from which TensorFlow writes to stderr: fatal. What is wrong arrives as an error. */
const LOG_FATAL = '3';
/** Hides every GPU from CUDA. */
const NO_GPU = '-1';

/** One attribute of a TensorFlow operator. */
export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** What the suite uses of the package's native part. */
export interface Binding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_TYPE: number;
  executeOp(name: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): Output[];
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Float32Array | Int32Array;
}

/** A tensor of the native part. */
export interface Output {
  readonly id: number;
  readonly shape: readonly number[];
  readonly dtype: number;
}

/** What the suite uses of the package's tfjs backend. */
export interface NodeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  getInputTensorIds(tensors: readonly TensorInfo[]): number[];
  createOutputTensor(output: Output): TensorInfo;
}

/** The loaded library and what it was loaded for. */
export interface Library {
  readonly backend: NodeBackend;
  readonly device: DeviceOf<'tensorflow'>;
  readonly threads: number;
  /** Versions of the package and of TensorFlow. */
  readonly version: string;
}

const require = createRequire(import.meta.url);

let loaded: Library | undefined;

/**
 * Loads TensorFlow for `device`, or returns it if it is loaded for that device.
 *
 * @param threads of one operator on the CPU; counts for the first call in a process alone. Undefined: TensorFlow's own
 * variable `TF_NUM_INTRAOP_THREADS`, else the cores of this process.
 * @throws EngineError when the package is not installed or cannot be loaded, when the library has no such device, or
 * when it already computes on the other one.
 */
export function loadLibrary(device: DeviceOf<'tensorflow'>, threads: number | undefined): Library {
  loaded ??= load(device, threads);
  if (loaded.device !== device) {
    throw new EngineError(
      `engine tensorflow computes on one device for as long as the process lives, and that is ${loaded.device}: ` +
        `start another process for ${device}`,
    );
  }
  return loaded;
}

/** The loaded library's backend. @throws EngineError when it is not loaded. */
export function native(): NodeBackend {
  if (!loaded) throw new EngineError('internal: TensorFlow is not loaded');
  return loaded.backend;
}

/** Runs `action`, which must be synchronous, with TensorFlow as tfjs's backend, in a scope that frees its tensors. */
export function onTensorflow<T>(action: () => T): T {
  const engine = tf.engine();
  const before = engine.backendName;
  select(BACKEND);
  engine.startScope(BACKEND);
  try {
    return action();
  } finally {
    engine.endScope();
    if (before && before !== BACKEND) select(before);
  }
}

/** Backends that exist are selected before tfjs's promise settles. */
function select(backend: string): void {
  void tf.setBackend(backend);
}

function load(device: DeviceOf<'tensorflow'>, threads: number | undefined): Library {
  const version = installedVersion(PACKAGE);
  if (version === undefined) {
    throw new EngineError(
      `engine tensorflow needs the package ${PACKAGE}, which is not installed: see docs/engines.md`,
    );
  }
  const used = prepareEnvironment(threads);
  const before = tf.engine().backendName;
  const restore = device === 'cpu' ? hideGpus() : () => undefined;
  try {
    restoreUtil();
    requireShielded();
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new EngineError(`engine tensorflow: ${PACKAGE} cannot be loaded (${line}): see docs/engines.md`, 1, {
      cause: error,
    });
  } finally {
    restore();
  }
  const backend = tf.engine().findBackend(BACKEND) as unknown as NodeBackend;
  if (before && before !== BACKEND) select(before);
  const found: DeviceOf<'tensorflow'> = backend.isUsingGpuDevice ? 'gpu' : 'cpu';
  if (found !== device) {
    throw new EngineError(
      `engine tensorflow has no device ${device} here, its library found ${found} only: see docs/engines.md`,
    );
  }
  return { backend, device, threads: used, version: `${version}, TensorFlow ${backend.binding.TF_Version}` };
}

/** Sets what TensorFlow reads when it starts; a user's own settings stay. @returns threads of one operator */
function prepareEnvironment(threads: number | undefined): number {
  const { env } = process;
  env.TF_CPP_MIN_LOG_LEVEL ??= LOG_FATAL;
  env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true';
  if (threads !== undefined) env.TF_NUM_INTRAOP_THREADS = String(threads);
  env.TF_NUM_INTRAOP_THREADS ??= String(availableParallelism());
  return Number(env.TF_NUM_INTRAOP_THREADS);
}

/** What scripts/tensorflow-native.c gives. */
interface Native {
  hush(): void;
  restore(): void;
  shield(): void;
}

/**
 * Loads the library with its greeting kept off standard error, and keeps signals off this thread and its threads: oneDNN's
 * generated code does not stand being interrupted. Both take native code, which the setup script builds; where that is absent, the
 * library is just loaded.
 */
function requireShielded(): void {
  const file = join(dirname(require.resolve(`${PACKAGE}/package.json`)), 'deps', 'wave.node');
  if (!existsSync(file)) {
    require(PACKAGE);
    return;
  }
  const { hush, restore, shield }: Native = require(file);
  // Threads inherit it, so it comes before the library makes its own.
  shield();
  const quiet = process.env.TF_CPP_MIN_LOG_LEVEL === LOG_FATAL;
  if (quiet) hush();
  try {
    require(PACKAGE);
  } finally {
    if (quiet) restore();
  }
}

/** Hides all GPUs. @returns what takes that back */
function hideGpus(): () => void {
  const { env } = process;
  const before = env.CUDA_VISIBLE_DEVICES;
  env.CUDA_VISIBLE_DEVICES = NO_GPU;
  return () => {
    if (before === undefined) delete env.CUDA_VISIBLE_DEVICES;
    else env.CUDA_VISIBLE_DEVICES = before;
  };
}

/** The package calls two functions of Node's that Node 23 no longer has. */
function restoreUtil(): void {
  const missing = {
    isNullOrUndefined: (value: unknown) => value === null || value === undefined,
    isArray: (value: unknown) => Array.isArray(value),
  };
  for (const [name, own] of Object.entries(missing)) {
    if (!(name in util)) Object.defineProperty(util, name, { value: own, configurable: true });
  }
}
