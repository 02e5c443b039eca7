/** Ancestor, templates, a target of another size, fitted scalers, a model: the method from the command line. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DistillResult, FitResult } from '#wave/index.js';
import { Place, SETTINGS } from './support.js';

const place = new Place();
afterAll(() => place.remove());

/** Templates of width 16 and one size besides the auxiliary model of width 32 and depth 2; all images, 16 steps an epoch. */
const DISTILL = `
${SETTINGS.replace(/^model:.*$/m, '').replace(/^train:.*$/m, '')}
templates: { count: 4 }
distill: { sizes: [{ depth: 3, width: 16 }] }
train: { epochs: 10, batch: 32, lr: 4.0e-3, log_every: 1 }
`;
const FIT = `
${SETTINGS.replace(/^model:.*$/m, '').replace(/^train:.*$/m, '')}
train: { steps: 40, batch: 32 }
`;
const target = ['--templates', 'bank/templates.safetensors', '--scalers', 'target.safetensors'];
const distill = (out: string) => ['distill', '--ancestor', 'ancestor', '--config', 'distill.yaml', '--out', out];

let bank: DistillResult;
let fitted: FitResult;
beforeAll(async () => {
  writeFileSync(place.at('distill.yaml'), DISTILL);
  writeFileSync(place.at('fit.yaml'), FIT);
  expect((await place.pretrain('ancestor')).code).toBe(0);
  bank = await place.result<DistillResult>(distill('bank'));
  const size = ['--depth', '4', '--width', '16'];
  await place.result(['init', '--templates', 'bank/templates.safetensors', ...size, '--out', 'target.safetensors']);
  fitted = await place.result<FitResult>(['fit', ...target, '--config', 'fit.yaml', '--out', 'fitted']);
});

describe('wave distill', () => {
  it('makes a small bank and an auxiliary model far above the chance of 25 %', () => {
    expect(bank.top1).toBeGreaterThan(0.55);
    expect(bank.templateParameters).toBeLessThan(bank.ancestorParameters as number);
    expect(place.names('bank')).toContain('templates.safetensors');
  });

  it('killed between two epochs and resumed gives the same templates and scalers', async () => {
    let killed = false;
    const ended = await place.wave(distill('killed'), {
      onStderr: (text, kill) => {
        if (killed || !/^wave: epoch 1: /m.test(text)) return;
        killed = true;
        kill('SIGKILL');
      },
    });
    expect(ended.signal).toBe('SIGKILL');
    expect(place.names('killed')?.filter((name) => /^(templates|scalers)/.test(name))).toEqual([]);
    await place.result([...distill('killed'), '--resume']);
    for (const name of ['templates.safetensors', 'scalers.safetensors']) {
      expect(await place.tensors('killed', name), name).toEqual(await place.tensors('bank', name));
    }
  });

  it('tells both losses, the ancestor and the sizes', async () => {
    const { stderr } = await place.wave([...distill('told'), '--set', 'train.epochs=1']);
    expect(stderr).toMatch(/^wave: ancestor: [\d.]+ % right on the first 512 training images$/m);
    expect(stderr).toMatch(/^wave: trained \(width x depth\): 32x2, besides 16x3; peak memory so far \d+ MiB$/m);
    expect(stderr).toMatch(/^wave: step 16\/16 .*, ce [\d.]+, kd [\d.]+, accuracy/m);
  });

  it('refuses an ancestor of other classes in one line', async () => {
    const { code, stderr } = await place.wave([...distill('other'), '--set', 'data.synthetic.classes=5', '--quiet']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'wave: error: ancestor and data: the ancestor has classes 4, the data 5; change one of them\n',
    });
    expect(place.names('other')).toBeUndefined();
  });
});

describe('wave fit', () => {
  it('begins well with inherited scalers and gets better', () => {
    expect(fitted.startTop1).toBeGreaterThan(0.35);
    expect(fitted.top1).toBeGreaterThan(fitted.startTop1 as number);
  });

  it('gives a model that eval measures alike', async () => {
    const words = ['eval', 'fitted', '--config', 'fitted/config.resolved.yaml'];
    expect(await place.result(words)).toMatchObject({ top1: fitted.top1, images: 130 });
  });

  it('is gone on with by finetune', async () => {
    const words = ['finetune', '--templates', 'bank/templates.safetensors', '--scalers', 'fitted/scalers.safetensors'];
    const settings = ['--config', 'fit.yaml', '--set', 'train.steps=8', '--set', 'train.lr=1e-3'];
    const tuned = await place.result<FitResult>([...words, ...settings, '--out', 'tuned']);
    expect(tuned.top1).toBeGreaterThan(0.5);
  });
});

it('the same settings and seed give the same templates and scalers, byte for byte', async () => {
  const other = new Place();
  try {
    writeFileSync(other.at('distill.yaml'), DISTILL);
    await other.pretrain('ancestor');
    await other.result(distill('bank'));
    for (const name of ['templates.safetensors', 'scalers.safetensors']) {
      expect(other.bytes('bank', name).equals(place.bytes('bank', name)), name).toBe(true);
    }
  } finally {
    other.remove();
  }
});
