import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  canonicalYaml,
  closest,
  configSha256,
  editDistance,
  jsonSchema,
  loadConfig,
  nonStrictPaths,
  resolvedConfigYaml,
} from '#wave/config/index.js';

describe('canonicalYaml', () => {
  it('sorts keys at every level and leaves lists alone', () => {
    expect(canonicalYaml({ b: { d: 1, c: [3, 1] }, a: 'x', u: undefined })).toBe(
      'a: x\nb:\n  c:\n    - 3\n    - 1\n  d: 1\n',
    );
  });

  it('gives the value back when loaded again', () => {
    const schema = z.strictObject({ value: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])) });
    const scalar = fc.oneof(
      fc.string(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(scalar, { maxLength: 5 }), (value) => {
        const loaded = loadConfig({ schema, text: canonicalYaml({ value }) });
        expect(loaded.value).toEqual(value);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('quotes text that looks like something else', () => {
    const schema = z.strictObject({ a: z.array(z.string()) });
    const a = ['1e3', 'null', 'true', '', ' x', '- y', 'a: b', '#c', '0x1f', '~', '[1', '*a', 'line\nbreak', '---'];
    expect(loadConfig({ schema, text: canonicalYaml({ a }) }).a).toEqual(a);
  });
});

describe('resolvedConfigYaml', () => {
  it('loads to the same configuration and stays the same text', () => {
    const schema = z.strictObject({
      b: z.number().default(2),
      a: z.strictObject({ c: z.string().nullable().default(null) }).prefault({}),
    });
    const first = loadConfig({ schema });
    const text = resolvedConfigYaml(first);
    expect(text).toMatch(/^# /);
    expect(resolvedConfigYaml(loadConfig({ schema, text }))).toBe(text);
  });
});

describe('configSha256', () => {
  it('is the SHA-256 of the JSON with sorted keys', () => {
    const expected = createHash('sha256').update('{"a":{"c":1,"d":[2]},"b":null}').digest('hex');
    expect(configSha256({ b: null, a: { d: [2], c: 1, e: undefined } })).toBe(expected);
  });

  it('differs for different values', () => {
    expect(configSha256({ a: 1 })).not.toBe(configSha256({ a: '1' }));
  });
});

describe('editDistance', () => {
  it.each([
    ['', 'abc', 3],
    ['kitten', 'sitting', 3],
    ['lr', 'rl', 1],
    ['label', 'label', 0],
    ['abcd', 'acbd', 1],
  ])('is right for %j and %j', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe('closest', () => {
  it('finds a misspelt, hyphenated or upper-case name', () => {
    const names = ['label_smoothing', 'weight_decay', 'lr'];
    expect(closest('labelsmoothing', names)).toBe('label_smoothing');
    expect(closest('Weight-Decay', names)).toBe('weight_decay');
    expect(closest('rl', names)).toBe('lr');
  });

  it('stays silent when nothing is near', () => {
    expect(closest('batch', ['lr', 'epochs'])).toBeUndefined();
    expect(closest('x'.repeat(10_000), ['x'])).toBeUndefined();
  });
});

describe('nonStrictPaths', () => {
  it('finds open objects behind every kind of wrapper', () => {
    const open = z.object({ a: z.number() });
    const wrapped = {
      list: z.array(open),
      optional: z.object({ b: z.number() }).optional(),
      fallback: z.object({ c: z.number() }).prefault({ c: 1 }),
      record: z.record(z.string(), z.object({ d: z.number() })),
      union: z.union([z.string(), z.looseObject({ e: z.number() })]),
      variants: z.discriminatedUnion('k', [z.object({ k: z.literal('a') }), z.strictObject({ k: z.literal('b') })]),
      tuple: z.tuple([z.object({ f: z.number() })]),
      refined: z.object({ g: z.number() }).superRefine(() => {}),
      before: z.preprocess((value) => value, z.object({ h: z.number() })),
      lazy: z.lazy(() => z.object({ i: z.number() })),
    };
    for (const [name, inner] of Object.entries(wrapped)) {
      const found = nonStrictPaths(z.strictObject({ [name]: inner }));
      expect(found, name).toHaveLength(1);
      expect(found[0]).toContain(name);
    }
    expect(nonStrictPaths(open)).toEqual(['(root)']);
  });

  it('passes a schema that is strict throughout', () => {
    const strict = z.strictObject({ a: z.array(z.strictObject({ b: z.record(z.string(), z.number()) })).default([]) });
    expect(nonStrictPaths(strict)).toEqual([]);
  });
});

describe('jsonSchema', () => {
  it('describes what may be written, with extends and private keys', () => {
    const json = jsonSchema(z.strictObject({ lr: z.number().positive().default(1).describe('learning rate') }));
    expect(json).toMatchObject({
      $schema: 'http://json-schema.org/draft-07/schema#',
      additionalProperties: false,
      patternProperties: { '^x-': {} },
      properties: { lr: { type: 'number', exclusiveMinimum: 0, default: 1, description: 'learning rate' } },
    });
    expect(json.required).toBeUndefined();
    expect(Object.keys(json.properties as object)).toContain('extends');
  });
});
