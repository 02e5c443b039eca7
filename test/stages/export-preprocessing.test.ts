/** What a bare checkpoint does not say about its images can be said on the way out. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import { loadModelSpec } from '#wave/model/load.js';
import { exportModel } from '#wave/stages/export.js';
import { interop, temporary } from '../model/formats/support.js';
import { context } from './support.js';

const root = temporary('export-preprocessing');
afterAll(() => rmSync(root, { recursive: true }));
const bare = { model: interop('timm-bare'), heads: 3 };

describe.each(['timm', 'hf'])('%s', (format) => {
  it('keeps it', async () => {
    const dir = join(root, format);
    const preprocess = {
      mean: [0.5],
      std: [0.25],
      cropPct: 0.9,
      resizeMode: 'squash',
      interpolation: 'bilinear',
    } as const;
    await exportModel(bare, { format, preprocess }, { dir, force: false }, context());
    expect((await loadModelSpec(dir)).spec.preprocess).toEqual({
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      resize: [17, 17],
      resize_mode: 'squash',
      interpolation: 'bilinear',
    });
  });

  it('refuses what cannot be, before anything is written', async () => {
    const out = { dir: join(root, `${format}-refused`), force: false };
    const settings = { format, preprocess: { mean: [0.5] } };
    await expect(exportModel(bare, settings, out, context())).rejects.toBeInstanceOf(ConfigError);
  });
});
