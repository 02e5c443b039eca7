/** Runs that are stopped, killed and resumed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Place } from './support.js';

const place = new Place();
afterAll(() => place.remove());

/** An evaluation and a saved state every 16 steps: moments to be killed at are never far. */
const LONG = ['--set', 'train.epochs=20'];
const STEPS = 320;

beforeAll(async () => {
  expect((await place.pretrain('whole', ...LONG)).code).toBe(0);
});

/** Trains, and sends a signal as soon as a step from `step` on is reported. */
async function stopped(out: string, signal: NodeJS.Signals, step: number, ...more: string[]) {
  let sent = false;
  return place.wave(['pretrain', '--config', 'pico.yaml', '--out', out, ...LONG, ...more], {
    onStderr: (text, kill) => {
      const steps = [...text.matchAll(/^wave: step (\d+)\//gm)].map((match) => Number(match[1]));
      if (!sent && steps.some((reached) => reached >= step)) {
        sent = true;
        kill(signal);
      }
    },
  });
}

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s saves the state, exits with %i, and the resumed run ends as the whole one', async (signal, code) => {
    const ended = await stopped(signal, signal, 40);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toMatch(
      new RegExp(
        `\\nwave: interrupted: stopped after step \\d+ of ${STEPS}; .*state\\.safetensors is saved, --resume goes on\\n$`,
      ),
    );
    expect(place.names(signal)).toEqual(['config.resolved.yaml', 'metrics.jsonl', 'state.safetensors']);

    const resumed = await place.pretrain(signal, '--resume', ...LONG);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toMatch(/training 320 steps of 32 images from step \d+\n/);
    expect(await place.tensors(signal, 'model.safetensors')).toEqual(await place.tensors('whole/model.safetensors'));
    expect(await place.tensors(signal, 'state.safetensors')).toEqual(await place.tensors('whole/state.safetensors'));
  });

  it('is told as one JSON document', async () => {
    const { code, stdout } = await stopped('json', 'SIGINT', 40, '--json');
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, error: { type: 'InterruptedError', exitCode: 130 } });
  });

  it('leaves settings that others cannot resume', async () => {
    await stopped('other', 'SIGINT', 40);
    const before = place.bytes('other/config.resolved.yaml');
    const refused = await place.pretrain('other', '--resume', ...LONG, '--set', 'train.lr=1e-4');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /^wave: error: .*the run was started with other settings: [\w.]+ was [^\n]*, is [^\n]*\n$/,
    );
    expect(place.bytes('other/config.resolved.yaml').equals(before)).toBe(true);
  });
});

describe('a kill', () => {
  // From before anything is written to well into the training, at moments that differ from run to run.
  it.each([0.2, 0.6, 1, 1.4])('within %f s or so leaves whole files, and the run can be finished', async (seconds) => {
    const out = `killed-${seconds}`;
    const delay = 1000 * (seconds + 0.4 * Math.random());
    let timer: NodeJS.Timeout | undefined;
    const running = place.wave(['pretrain', '--config', 'pico.yaml', '--out', out, ...LONG], {
      onStderr: (_text, kill) => {
        // Counted from the first sign of life: how long a process takes to start says nothing.
        timer ??= setTimeout(() => kill('SIGKILL'), delay);
      },
    });
    await running;
    clearTimeout(timer);
    const names = place.names(out) ?? [];
    const artifacts = names.filter((name) => name.endsWith('.safetensors') && !name.startsWith('.'));
    for (const name of artifacts) await place.tensors(out, name);

    const way = artifacts.includes('state.safetensors') ? '--resume' : '--force';
    const finished = await place.pretrain(out, way, ...LONG);
    expect(finished, `killed after ${delay} ms, then ${way}`).toMatchObject({ code: 0 });
    expect(await place.tensors(out, 'model.safetensors')).toEqual(await place.tensors('whole/model.safetensors'));
    expect(place.names(out)?.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
