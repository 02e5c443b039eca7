/** Finds out which engines and devices really work on this machine, by running a tiny model on each. */
import { fork } from 'node:child_process';
import { ortMessage } from './ort-message.js';
import type { ProbeMessage } from './probe-child.js';
import { probeData } from './probe-model.js';

/** Something that can be tried. */
export interface ProbeTarget {
  readonly engine: 'ort';
  readonly device: string;
}

/** `broken`: it is there and fails or computes wrong numbers. `not available`: this machine does not have it. */
export type ProbeStatus = 'ok' | 'broken' | 'not available';

/** Outcome of one try. */
export interface ProbeResult extends ProbeTarget {
  readonly status: ProbeStatus;
  /** One line: how long it took, or what went wrong. */
  readonly detail: string;
}

/** Settings of a try. */
export interface ProbeOptions {
  /** A driver that has not answered after this is counted as hanging. Milliseconds. */
  readonly timeout?: number;
  /** Program that makes the try. */
  readonly child?: URL;
}

/** Everything the suite can compute on. The first is the default. */
export const PROBE_TARGETS: readonly ProbeTarget[] = [
  { engine: 'ort', device: 'cpu' },
  { engine: 'ort', device: 'webgpu' },
];

/** A GPU driver that compiles its first shaders takes seconds, never this long. Milliseconds. */
const TIMEOUT = 60_000;
/** What a crashing driver last said is near the end of its output. Characters. */
const KEPT_OUTPUT = 2_000;

/** Runs the probe model on `target` in a child process. Never throws for what the child does. */
export async function probe(target: ProbeTarget, options: ProbeOptions = {}): Promise<ProbeResult> {
  const { engine, device } = target;
  return { engine, device, ...judge(await runChild(target, options)) };
}

function judge(message: ProbeMessage): { status: ProbeStatus; detail: string } {
  const { error, broken, product, milliseconds } = message;
  if (product !== undefined) {
    const { c } = probeData();
    const right = product.length === c.length && c.every((value, i) => value === product[i]);
    if (!right) return { status: 'broken', detail: 'the product of two 4 x 4 matrices came out wrong' };
    return { status: 'ok', detail: `computed a matrix product in ${Math.round(milliseconds ?? 0)} ms` };
  }
  return { status: broken === true ? 'broken' : 'not available', detail: ortMessage(error ?? 'no answer') };
}

function runChild({ engine, device }: ProbeTarget, options: ProbeOptions): Promise<ProbeMessage> {
  const { timeout = TIMEOUT, child: program = new URL('./probe-child.js', import.meta.url) } = options;
  return new Promise((resolve) => {
    let output = '';
    let message: ProbeMessage | undefined;
    let hung = false;
    const child = fork(program, [engine, device], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [] });
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
      if (message !== undefined) resolve(message);
      else if (hung) resolve({ error: `no answer within ${timeout / 1000} s`, broken: true });
      else resolve({ error: crashText(code, signal, output), broken: true });
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
