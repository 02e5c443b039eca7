/** Finds out which engines and devices really work on this machine, by running a tiny model on each. */
import { fork } from 'node:child_process';
import { fixFor } from './fixes.js';
import { ortMessage } from './ort-message.js';
import type { ProbeMessage } from './probe-child.js';
import { probeData } from './probe-model.js';
import type { EngineTarget } from './targets.js';

/** Something that can be tried. */
export type ProbeTarget = Pick<EngineTarget, 'engine' | 'device'>;

/** `broken`: it is there and fails or computes wrong numbers. `not available`: this machine does not have it. */
export type ProbeStatus = 'ok' | 'broken' | 'not available';

/** Outcome of one try. */
export interface ProbeResult extends ProbeTarget {
  readonly status: ProbeStatus;
  /** One line: how long it took, or what went wrong. */
  readonly detail: string;
  /** What to do about it, in one line, if it does not work. */
  readonly fix?: string;
  /** Floating-point operations per second in matrix products, if it works and was asked for. */
  readonly speed?: number;
}

/** Settings of a try. */
export interface ProbeOptions {
  /** A driver that has not answered after this is counted as hanging. Milliseconds. */
  readonly timeout?: number;
  /** Program that makes the try. */
  readonly child?: URL;
  /** Also find out how fast the device is; takes a second or two longer. */
  readonly speed?: boolean;
  /** Threads of the engine; default: its own choice. */
  readonly threads?: number;
}

/** A GPU driver that compiles its first shaders takes seconds, never this long. Milliseconds. */
const TIMEOUT = 60_000;
/** What a crashing driver last said is near the end of its output. Characters. */
const KEPT_OUTPUT = 2_000;

/** Runs the probe model on `target` in a child process. Never throws for what the child does. */
export async function probe(target: ProbeTarget, options: ProbeOptions = {}): Promise<ProbeResult> {
  const { engine, device } = target;
  const { message, output } = await runChild(target, options);
  const result = { engine, device, ...judge(message) };
  return result.status === 'ok' ? result : { ...result, fix: fixFor(target, `${output}\n${message.error ?? ''}`) };
}

function judge(message: ProbeMessage): Omit<ProbeResult, keyof ProbeTarget> {
  const { error, broken, product, milliseconds, version, speed } = message;
  if (product !== undefined) {
    const { c } = probeData();
    const right = product.length === c.length && c.every((value, i) => value === product[i]);
    if (!right) return { status: 'broken', detail: 'the product of two 4 x 4 matrices came out wrong' };
    const by = version === undefined ? '' : `, ${version}`;
    const detail = `computed a matrix product in ${Math.round(milliseconds ?? 0)} ms${by}`;
    if (speed === undefined) return { status: 'ok', detail };
    return { status: 'ok', detail: `${detail}; ${speedText(speed)}`, speed };
  }
  return { status: broken === true ? 'broken' : 'not available', detail: ortMessage(error ?? 'no answer') };
}

/** `210 GFLOP/s`. */
export function speedText(speed: number): string {
  const giga = speed / 1e9;
  return `${giga < 10 ? giga.toFixed(1) : Math.round(giga)} GFLOP/s`;
}

function runChild(
  { engine, device }: ProbeTarget,
  options: ProbeOptions,
): Promise<{ message: ProbeMessage; output: string }> {
  const { timeout = TIMEOUT, child: program = new URL('./probe-child.js', import.meta.url) } = options;
  const words = [engine, device, String(options.threads ?? 0), ...(options.speed === true ? ['speed'] : [])];
  return new Promise((resolve) => {
    let output = '';
    let message: ProbeMessage | undefined;
    let hung = false;
    const child = fork(program, words, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('message', (received: ProbeMessage) => {
      message = received;
    });
    const timer = setTimeout(() => {
      hung = true;
      child.kill('SIGKILL');
    }, timeout);
    child.on('error', (error) => {
      message ??= { error: error.message, broken: true };
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const end = hung ? `no answer within ${timeout / 1000} s` : crashText(code, signal, output);
      resolve({ message: message ?? { error: end, broken: true }, output });
    });
  });
}

function crashText(code: number | null, signal: NodeJS.Signals | null, output: string): string {
  const end = signal === null ? `ended with code ${code}` : `crashed with ${signal}`;
  // Node adds a native stack trace of its own below the driver's last words.
  const said =
    output
      .split(/^-+ Native stack trace/m, 1)[0]
      .trim()
      .split('\n')
      .at(-1) ?? '';
  return said === '' ? end : `${end}: ${said}`;
}
