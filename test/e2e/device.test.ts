/** `--device auto` as a process: the choice is told on stderr and recorded, and a pipeline makes it once. */
import { writeFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import type { PipelineReport } from '#wave/stages/pipeline/index.js';
import { Place, SETTINGS } from './support.js';

const place = new Place();
afterAll(() => place.remove());

const TOLD = /^wave: device: ort\/(\w+) \(.+\)$/gm;
/** Whatever else the machine has, a Vulkan driver is not there. */
const env = { VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };

it('is chosen, told and recorded', async () => {
  const train = ['pretrain', '--config', 'pico.yaml', '--out', 'run', '--set', 'train.epochs=1'];
  const { code, stdout, stderr } = await place.wave([...train, '--device', 'auto', '--json'], { env });
  expect(code).toBe(0);
  const [told, ...more] = [...stderr.matchAll(TOLD)];
  expect(more).toEqual([]);
  const device = told?.[1];
  expect(JSON.parse(stdout).result).toMatchObject({ engine: 'ort', device });
  expect(place.bytes('run', 'config.resolved.yaml').toString()).toContain(`device: ${device}\n`);
  const again = await place.wave([...train, '--device', 'auto', '--resume'], { env });
  expect(again.stderr).toContain(`wave: device: ort/${device} (that of the run which is gone on with)\n`);
});

it('is chosen once for a pipeline, and makes nothing anew that this device has made', async () => {
  const stages =
    'stages: { ancestor: { stage: pretrain, train: { epochs: 2 } }, measured: { stage: eval, model: ancestor } }';
  writeFileSync(place.at('method.yaml'), `${SETTINGS}${stages}\n`);
  const run = ['run', 'method.yaml', '--device', 'auto'];
  const first = await place.wave(run, { env });
  expect(first.code, first.stderr).toBe(0);
  const found = [...first.stderr.matchAll(TOLD)];
  expect(found).toHaveLength(1);
  const named = ['run', 'method.yaml', '--device', found[0]?.[1] ?? ''];
  const { stages: after } = await place.result<PipelineReport>(named);
  expect(after.map(({ status }) => status)).toEqual(['up to date', 'up to date']);
});
