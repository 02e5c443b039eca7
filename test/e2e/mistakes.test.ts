/**
 * What users do wrong: one clear line on stderr, one JSON document on stdout, the right exit code, and no file that is
 * half written.
 */
import { chmodSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeLineage, writeArtifact } from '#wave/checkpoint/index.js';
import { onlyDocument, Place } from './support.js';

const place = new Place();
afterAll(() => place.remove());

const PRETRAIN = ['pretrain', '--config', 'pico.yaml', '--out', 'out'];
const EVAL = ['--config', 'pico.yaml'];
const IDX =
  'data={source: idx, classes: 4, train: {images: no-images, labels: no-labels}, test: {images: x, labels: y}}';
/** The superuser may write into any folder; nobody may make one in /proc. */
const READ_ONLY = process.getuid?.() === 0 && process.platform === 'linux' ? '/proc/out' : 'read-only';

beforeAll(async () => {
  const run = await place.pretrain('run', '--set', 'train.epochs=1', '--quiet');
  expect(run).toMatchObject({ code: 0, stderr: '' });
  writeFileSync(place.at('cut.safetensors'), place.bytes('run/model.safetensors'));
  truncateSync(place.at('cut.safetensors'), 5000);
  writeFileSync(place.at('text.png'), 'not an image');
  mkdirSync(place.at('read-only'));
  chmodSync(place.at('read-only'), 0o555);
  const lineage = makeLineage({
    command: 'wave test',
    configSha256: '',
    parents: [],
    seed: 0,
    engine: 'none',
    toolVersion: '0',
  });
  const tensor = { dtype: 'F32' as const, shape: [2], data: new Float32Array(2) };
  const templates = { kind: 'templates' as const, spec: {}, lineage, tensors: [['t', tensor] as const] };
  await writeArtifact(place.at('templates.safetensors'), templates);
});

describe.each<[string, string[], number, RegExp]>([
  ['an unknown flag', [...PRETRAIN, '--sede', '1'], 2, /unknown flag --sede \(did you mean --seed\?\)/],
  ['no settings', ['pretrain', '--out', 'out'], 2, /--config FILE is missing/],
  ['an unknown key', [...PRETRAIN, '--set', 'train.epoch=1'], 2, /train\.epoch: unknown key, did you mean `epochs`\?/],
  ['a wrong type', [...PRETRAIN, '--set', 'train.lr=fast'], 2, /train\.lr: expected a positive number, found "fast"/],
  ['a wrong seed', [...PRETRAIN, '--seed', 'x'], 2, /flag --seed must be a whole number, 0 or more; found "x"/],
  ['settings that are not there', ['pretrain', '--config', 'no.yaml', '--out', 'out'], 2, /no\.yaml/],
  ['data that is not there', [...PRETRAIN, '--set', IDX], 1, /no-images: no such file/],
  ['heads that do not divide', [...PRETRAIN, '--set', 'model.heads=3'], 2, /width 32 is not divisible by heads 3/],
  ['the same, only checked', [...PRETRAIN, '--dry-run', '--set', 'model.heads=3'], 2, /width 32 is not divisible/],
  ['a patch that does not divide', [...PRETRAIN, '--set', 'model.patch=5'], 2, /16x16 is not divisible by patch 5/],
  ['a model for other images', [...PRETRAIN, '--set', 'model.image=28'], 2, /image size 28x28, the data 16x16/],
  ['a batch larger than the data', [...PRETRAIN, '--set', 'train.batch=513'], 2, /513 is more than the 512/],
  ['a mean per channel too many', [...PRETRAIN, '--set', 'data.mean=[0.1, 0.2]'], 2, /data\.mean: 2 values/],
  ['a used folder', ['pretrain', '--config', 'pico.yaml', '--out', 'run'], 2, /run: holds a run already/],
  ['nothing to resume', [...PRETRAIN, '--resume'], 2, /out: holds no saved state/],
  ['--resume and --force', [...PRETRAIN, '--resume', '--force'], 2, /give one of them/],
  ['a read-only folder', ['pretrain', '--config', 'pico.yaml', '--out', READ_ONLY], 1, /cannot be used as output/],
  ['a file as folder', ['pretrain', '--config', 'pico.yaml', '--out', 'text.png'], 1, /cannot be used as output/],
  ['an engine that is not there', [...PRETRAIN, '--engine', 'torch'], 2, /--engine must be one of ort, tensorflow/],
  ['a device that no engine has', [...PRETRAIN, '--device', 'cud'], 2, /has no device 'cud'/],
  ['a device for a prediction', ['predict', 'run', 'text.png', '--device', 'cud'], 2, /has no device 'cud'/],
  ['a device for an evaluation', ['eval', 'run', ...EVAL, '--device', 'cud'], 2, /has no device 'cud'/],
  [
    'other classes',
    ['eval', 'run', ...EVAL, '--set', 'data.synthetic.classes=5'],
    2,
    /run and data: the model has classes 4, the data 5; change one of them, or give .*: wave finetune$/m,
  ],
  ['other heads', ['eval', 'run', ...EVAL, '--heads', '4'], 2, /has 2 heads, --heads says 4/],
  ['a cut file to eval', ['eval', 'cut.safetensors', ...EVAL], 1, /cut\.safetensors: /],
  ['a cut file to predict', ['predict', 'cut.safetensors', 'text.png'], 1, /cut\.safetensors: /],
  ['a cut file to inspect', ['inspect', 'cut.safetensors'], 1, /cut\.safetensors: /],
  [
    'templates to eval',
    ['eval', 'templates.safetensors', ...EVAL],
    1,
    /is a template bank, expected a model; name another file, or give --templates and --scalers$/m,
  ],
  ['a state to predict', ['predict', 'run/state.safetensors', 'text.png'], 1, /state\.safetensors: .*expected a model/],
  ['a missing model', ['eval', 'no.safetensors', ...EVAL], 1, /no\.safetensors: /],
  ['a text as image', ['predict', 'run', 'text.png'], 1, /text\.png: cannot be decoded as an image/],
  ['a missing image', ['predict', 'run', 'no.png', '--logits', 'logits.safetensors'], 1, /no\.png: no such file/],
  ['no classes to show', ['predict', 'run', 'text.png', '--top', '0'], 2, /--top must be a whole number, 1 or more/],
  ['an accuracy in percent', ['eval', 'run', ...EVAL, '--min-accuracy', '85'], 2, /a number from 0 to 1; found "85"/],
])('%s', (_name, words, code, message) => {
  it(`gives exit code ${code}, one line and one document`, async () => {
    const before = place.names('.');
    const ended = await place.wave([...words, '--json']);
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
    const lines = ended.stderr.split('\n').slice(0, -1);
    expect(lines.filter((line) => !/^wave: (?!error)/.test(line))).toEqual([expect.stringMatching(/^wave: error: /)]);
    const document = onlyDocument(ended.stdout) as { ok: boolean; error: { message: string; exitCode: number } };
    expect(document).toMatchObject({ ok: false, error: { exitCode: code, message: expect.stringMatching(message) } });
    expect(place.names('.')).toEqual(before);
    expect(place.names('run')).toHaveLength(4);
  });
});

describe('a loss that is not a number', () => {
  it('ends the run with exit code 1, names the step, and leaves no model', async () => {
    const ended = await place.pretrain('diverged', '--set', 'train.lr=1e9', '--json');
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/\nwave: error: step \d+: loss is [^\n]*lower the learning rate[^\n]*\n$/);
    expect(onlyDocument(ended.stdout)).toMatchObject({ ok: false, error: { type: 'TrainingError', exitCode: 1 } });
    expect(place.names('diverged')).toEqual(['config.resolved.yaml', 'metrics.jsonl']);
    expect((await place.pretrain('diverged', '--force', '--set', 'train.epochs=1')).code).toBe(0);
  });
});

describe('--dry-run', () => {
  it('prints settings that can be given to --config, and writes nothing', async () => {
    const { code, stdout } = await place.wave([...PRETRAIN, '--dry-run', '--set', 'train.epochs=1']);
    expect(code).toBe(0);
    expect(place.names('out')).toBeUndefined();
    writeFileSync(place.at('dry.yaml'), stdout);
    const again = await place.wave(['pretrain', '--config', 'dry.yaml', '--out', 'out', '--dry-run']);
    expect(again).toMatchObject({ code: 0, stdout });
  });
});
