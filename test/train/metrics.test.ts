import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { MetricsLog } from '#wave/train/index.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-metrics-'));
const path = join(folder, 'metrics.jsonl');
beforeEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true }));

const lines = () => readFileSync(path, 'utf8').split('\n').slice(0, -1);
const steps = () => lines().map((line) => JSON.parse(line).step as number);

describe('MetricsLog', () => {
  it('writes each line at once, whole, as JSON', () => {
    const log = MetricsLog.create(path);
    log.write({ step: 1, loss: 0.5 });
    expect(readFileSync(path, 'utf8')).toBe('{"step":1,"loss":0.5}\n');
    log.write({ step: 2, loss: 0.25 });
    log.close();
    expect(steps()).toEqual([1, 2]);
  });

  it('replaces an earlier file', () => {
    writeFileSync(path, '{"step":9}\n');
    MetricsLog.create(path).close();
    expect(lines()).toEqual([]);
  });

  it.each([
    ['whole', '{"step":10}\n{"step":20}\n{"step":30}\n'],
    ['cut within the last line', '{"step":10}\n{"step":20}\n{"step":30,"lo'],
    ['cut before the last line break', '{"step":10}\n{"step":20}'],
    ['followed by what a crashed disk left', '{"step":10}\n{"step":20}\n\0\0\0\0'],
  ])('goes on after a step of a file that is %s', async (_name, text) => {
    writeFileSync(path, text);
    const log = await MetricsLog.resume(path, 20);
    log.write({ step: 25 });
    log.close();
    expect(lines()).toEqual(['{"step":10}', '{"step":20}', '{"step":25}']);
    expect(readdirSync(folder)).toEqual(['metrics.jsonl']);
  });

  it('starts a file that is gone', async () => {
    const log = await MetricsLog.resume(path, 20);
    log.write({ step: 25 });
    log.close();
    expect(steps()).toEqual([25]);
  });

  it('knows the last evaluation that it holds', async () => {
    writeFileSync(path, '{"step":10}\n{"step":16,"test_top1":0.5}\n{"step":20}\n{"step":32,"test_top1":0.5}\n');
    const log = await MetricsLog.resume(path, 20);
    expect(log.evaluatedStep).toBe(16);
    log.write({ step: 20, test_top1: 0.6 });
    log.close();
    expect(log.evaluatedStep).toBe(20);
    expect(log.startTop1).toBeUndefined();
  });

  it('knows the accuracy before the first step, also of a file that it goes on with', async () => {
    const log = MetricsLog.create(path);
    log.write({ step: 0, test_top1: 0.25 });
    log.write({ step: 10, test_top1: 0.5 });
    log.close();
    expect(log.startTop1).toBe(0.25);
    const again = await MetricsLog.resume(path, 10);
    again.close();
    expect([again.startTop1, again.evaluatedStep]).toEqual([0.25, 10]);
  });

  it('says in one line where it cannot write', () => {
    expect(() => MetricsLog.create(join(path, 'x'))).toThrow(/metrics\.jsonl.*cannot be written: [^\n]+$/);
    expect(() => MetricsLog.create(folder)).toThrow(/is a folder/);
  });
});
