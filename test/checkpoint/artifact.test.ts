import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '#wave/base/errors.js';
import {
  type Artifact,
  expectKind,
  type LineageFacts,
  makeLineage,
  openSafetensors,
  parseSafetensors,
  readArtifactInfo,
  serializeSafetensors,
  writeArtifact,
} from '#wave/checkpoint/index.js';
import { errorOf, temporaryFolder } from './helpers.js';

const folder = temporaryFolder();
const SHA = 'ab'.repeat(32);

const FACTS: LineageFacts = {
  command: 'wave distill --config "my config.yaml"',
  configSha256: SHA,
  parents: [{ name: 'ancestor', sha256: SHA }],
  seed: 7,
  engine: 'ort/cpu',
  toolVersion: '0.1.0',
};

const ARTIFACT: Artifact = {
  kind: 'templates',
  spec: { width: 64, depth: 4, heads: [1, 2] },
  lineage: makeLineage(FACTS, { SOURCE_DATE_EPOCH: '1700000000' }),
  tensors: [['qkv', { dtype: 'F32', shape: [1], data: new Float32Array([1]) }]],
  metadata: [
    ['author', 'somebody'],
    ['format', 'np'],
    ['wave.kind', 'model'],
    ['wave.other', 'x'],
  ],
};

/** A file with nothing but metadata. */
function withMetadata(metadata: Readonly<Record<string, string>>) {
  return parseSafetensors(serializeSafetensors([], Object.entries(metadata)), 'x.safetensors');
}

describe('writeArtifact', () => {
  it('stores kind, spec and lineage with sorted keys, and keeps foreign metadata', async () => {
    const path = join(folder, 'a.safetensors');
    await writeArtifact(path, ARTIFACT);
    const file = await openSafetensors(path);
    expect([...file.metadata]).toEqual([
      ['author', 'somebody'],
      ['format', 'pt'],
      ['wave.kind', 'templates'],
      [
        'wave.lineage',
        `{"command":"wave distill --config \\"my config.yaml\\"","configSha256":"${SHA}","date":"2023-11-14T22:13:20Z","engine":"ort/cpu","parents":[{"name":"ancestor","sha256":"${SHA}"}],"seed":7,"toolVersion":"0.1.0"}`,
      ],
      ['wave.spec', '{"depth":4,"heads":[1,2],"width":64}'],
    ]);
    expect([...(await file.readFloat32('qkv'))]).toEqual([1]);
    await file.close();
  });

  it('gives the same bytes for the same artifact', async () => {
    const [a, b] = [join(folder, '1.safetensors'), join(folder, '2.safetensors')];
    await writeArtifact(a, ARTIFACT);
    const metadata = [...(ARTIFACT.metadata ?? [])].reverse();
    await writeArtifact(b, { ...ARTIFACT, spec: { heads: [1, 2], depth: 4, width: 64 }, metadata });
    expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
  });
});

describe('readArtifactInfo', () => {
  it('gives back what was written', async () => {
    const path = join(folder, 'b.safetensors');
    await writeArtifact(path, { ...ARTIFACT, lineage: { ...ARTIFACT.lineage, dataSha256: SHA } });
    const file = await openSafetensors(path);
    expect(readArtifactInfo(file)).toEqual({
      kind: 'templates',
      spec: ARTIFACT.spec,
      lineage: { ...ARTIFACT.lineage, dataSha256: SHA },
      metadata: new Map([['author', 'somebody']]),
    });
    await file.close();
  });

  it('gives nothing for a file of another tool', () => {
    expect(readArtifactInfo(withMetadata({}))).toBeUndefined();
    expect(readArtifactInfo(withMetadata({ format: 'pt', 'wave.spec': 'x' }))).toBeUndefined();
  });

  it('accepts an artifact whose lineage was removed', () => {
    const info = readArtifactInfo(withMetadata({ 'wave.kind': 'state', 'wave.spec': 'null' }));
    expect(info).toEqual({ kind: 'state', spec: null, metadata: new Map() });
  });

  it.each([
    [
      { 'wave.kind': 'ensemble', 'wave.spec': '{}' },
      'wave.kind is "ensemble", known are model, templates, scalers, state',
    ],
    [{ 'wave.kind': 'model' }, 'wave.spec is missing'],
    [{ 'wave.kind': 'model', 'wave.spec': '{' }, 'wave.spec is not JSON'],
    [{ 'wave.kind': 'model', 'wave.spec': '{}', 'wave.lineage': '{' }, 'wave.lineage is not JSON'],
    [{ 'wave.kind': 'model', 'wave.spec': '{}', 'wave.lineage': '[]' }, 'wave.lineage must be an object'],
    [
      { 'wave.kind': 'model', 'wave.spec': '{}', 'wave.lineage': '{"command":"x"}' },
      'wave.lineage: configSha256 is missing',
    ],
    [
      { 'wave.kind': 'model', 'wave.spec': '{}', 'wave.lineage': '{"command":"x","configSha256":"y","parents":[1]}' },
      'wave.lineage: parents[0] must be an object',
    ],
    [
      {
        'wave.kind': 'model',
        'wave.spec': '{}',
        'wave.lineage': '{"command":"x","configSha256":"y","parents":[],"seed":"7"}',
      },
      'wave.lineage: seed has the wrong type',
    ],
  ])('refuses metadata that it does not understand: %#', (metadata, phrase) => {
    const error = errorOf(() => readArtifactInfo(withMetadata(metadata)));
    expect(error.code).toBe('InvalidArtifact');
    expect(error.message).toContain(`x.safetensors: the metadata ${phrase}`);
  });
});

describe('expectKind', () => {
  it('gives the information when the kind fits', () => {
    const file = withMetadata({ 'wave.kind': 'model', 'wave.spec': '{}' });
    expect(expectKind(file, ['templates', 'model']).kind).toBe('model');
  });

  it('names what was found and what was expected', () => {
    const error = errorOf(() =>
      expectKind(withMetadata({ 'wave.kind': 'model', 'wave.spec': '{}' }), ['templates', 'scalers']),
    );
    expect(error.code).toBe('WrongKind');
    expect(error.message).toBe(
      'x.safetensors: is a model, expected a template bank or a set of scalers; name another file',
    );
    const advised = errorOf(() =>
      expectKind(withMetadata({ 'wave.kind': 'scalers', 'wave.spec': '{}' }), 'model', 'look'),
    );
    expect(advised.message).toBe('x.safetensors: is a set of scalers, expected a model; look');
    const bare = errorOf(() => expectKind(withMetadata({ format: 'pt' }), 'state'));
    expect(bare.message).toContain(
      'is a safetensors file of another tool (it has no wave.kind), expected the state of a run',
    );
  });
});

describe('makeLineage', () => {
  it('takes the date from SOURCE_DATE_EPOCH', () => {
    expect(makeLineage(FACTS, { SOURCE_DATE_EPOCH: '0' }).date).toBe('1970-01-01T00:00:00Z');
  });

  it('takes the present otherwise, in whole seconds', () => {
    const { date } = makeLineage(FACTS, {});
    expect(date).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(60_000);
  });

  it.each(['', 'now', '1.5', '-1', '9999999999999999'])('refuses SOURCE_DATE_EPOCH=%j', (epoch) => {
    expect(() => makeLineage(FACTS, { SOURCE_DATE_EPOCH: epoch })).toThrow(ConfigError);
  });
});
