import { afterEach, describe, expect, it } from 'vitest';
import { DataError } from '#wave/base/errors.js';
import { WorkerPool } from '#wave/base/worker-pool.js';

const URL_OF_WORKER = new URL('./fixtures/pool-worker.mjs', import.meta.url);

let pool: WorkerPool<unknown, number> | undefined;
function start(count: number, url = URL_OF_WORKER): WorkerPool<unknown, number> {
  const failure = (message: string) => new DataError(message);
  pool = new WorkerPool({ name: 'test thread', url, threads: count, workerData: 10, failure });
  return pool;
}
afterEach(() => pool?.close());

/** The errors of jobs that must all fail. */
function failures(jobs: Promise<number>[]): Promise<unknown[]> {
  return Promise.all(
    jobs.map((job) =>
      job.then(
        (value) => `unexpected ${value}`,
        (error: unknown) => error,
      ),
    ),
  );
}

describe('WorkerPool', () => {
  it('answers every job with its own result', async () => {
    const { length } = [1, 2, 3, 4, 5];
    const running = start(2);
    const results = await Promise.all(Array.from({ length }, (_, i) => running.run(i)));
    expect(results).toEqual([0, 10, 20, 30, 40]);
  });

  it.each([
    ['exit', 'test thread 0 stopped with exit code 7'],
    ['throw', 'test thread 0 failed: thrown outside a job'],
    ['refuse', 'test thread failed: this job is wrong'],
  ])('fails all jobs under way with one error when a thread meets %j', async (job, message) => {
    const running = start(2);
    const errors = await failures([running.run(job), running.run('silence'), running.run('silence')]);
    expect(errors[0]).toBeInstanceOf(DataError);
    expect((errors[0] as DataError).message).toBe(message);
    expect(new Set(errors).size).toBe(1);
    expect(await failures([running.run(1)])).toEqual([errors[0]]);
  });

  it('fails with one error when a thread cannot start', async () => {
    const [error] = await failures([start(1, new URL('./fixtures/none.mjs', import.meta.url)).run(1)]);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(/^test thread 0 failed: Cannot find module/);
    expect((error as DataError).message).not.toContain('\n');
  });

  it('rejects what is under way when closed, and closes twice', async () => {
    const running = start(1);
    const job = failures([running.run('silence')]);
    await Promise.all([running.close(), running.close()]);
    expect((await job)[0]).toBeInstanceOf(DataError);
    await running.close();
  });
});
