/** A recipe on the command line: what `--dry-run` shows of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { wave } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'wave-recipe-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('shows the merged settings with --dry-run', async () => {
  const config = join(folder, 'imagenet.yaml');
  const text = `recipe: deit
model: { preset: deit-small }
data:
  source: folder
  train: { folder: imagenet/train }
  test: { folder: imagenet/val }
  workers: 8
train: { batch: 256, accumulate: 4 }
`;
  writeFileSync(config, text);
  const words = ['pretrain', '--config', config, '--out', join(folder, 'run'), '--dry-run'];
  const { code, stdout, stderr } = await wave([...words, '--set', 'train.drop_path=0.05']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  await expect(stdout).toMatchFileSnapshot('snapshots/dry-run-deit.txt');
});
