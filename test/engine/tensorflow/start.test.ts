/** What a process is like that has started engine tensorflow: quiet, and shielded from signals. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { PACKAGE } from '#wave/engine/tensorflow/library.js';
import { tryTarget } from '../conformance/target.js';

const require = createRequire(import.meta.url);
const { present } = await tryTarget('tensorflow/cpu');

/** Whether the setup script has built its part, which a library that comes with the package lacks. */
const shielded = present && existsSync(join(dirname(require.resolve(`${PACKAGE}/package.json`)), 'deps', 'wave.node'));

describe.skipIf(!present)('a process that starts engine tensorflow', () => {
  const start = async (args: string[], env: Record<string, string> = {}) => {
    const fixture = fileURLToPath(new URL('./fixtures/quiet-step.mjs', import.meta.url));
    const { TF_CPP_MIN_LOG_LEVEL: _, TF_NUM_INTRAOP_THREADS: __, ...inherited } = process.env;
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [fixture, ...args], {
      env: { ...inherited, ...env },
    });
    return { said: JSON.parse(stdout), stderr };
  };

  it('says nothing, and hides GPUs from TensorFlow alone', async () => {
    const { said, stderr } = await start(['cpu', '1'], { CUDA_VISIBLE_DEVICES: '5' });
    expect(said).toEqual({ device: 'cpu', threads: 1, loss: 5, visible: '5', growth: 'true' });
    expect(stderr).toBe('');
  });

  it('leaves what the user has set', async () => {
    const { said } = await start(['cpu', '1'], { TF_FORCE_GPU_ALLOW_GROWTH: 'false' });
    expect(said.growth).toBe('false');
  });

  it.skipIf(!shielded)('takes signals in threads that do not compute', async () => {
    const fixture = fileURLToPath(new URL('./fixtures/signals.mjs', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [fixture]);
    const { blocked, heard } = JSON.parse(stdout);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGCHLD'] as const) {
      const bit = 1n << BigInt(constants.signals[name] - 1);
      expect(BigInt(`0x${blocked}`) & bit, name).toBe(bit);
    }
    expect(heard).toBe(1);
  });

  it("takes the threads of TensorFlow's own variable where none are named", async () => {
    expect((await start(['cpu'], { TF_NUM_INTRAOP_THREADS: '3' })).said.threads).toBe(3);
  });

  it('refuses a GPU that is not there in one line', async () => {
    const { said, stderr } = await start(['gpu'], { CUDA_VISIBLE_DEVICES: '-1' });
    expect(said.name).toBe('EngineError');
    expect(said.error).toMatch(
      /^engine tensorflow has no device gpu here, its library found cpu only: see docs\/engines\.md$/,
    );
    expect(stderr).toBe('');
  });
});
