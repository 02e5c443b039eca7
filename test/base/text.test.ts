import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '#wave/base/canonical-json.js';
import { compareUtf8, isWellFormed, printable, quote } from '#wave/base/text.js';

describe('compareUtf8', () => {
  it('orders as the UTF-8 bytes do', () => {
    const text = fc.string({ unit: 'binary' });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareUtf8(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
    expect(compareUtf8('\uff5e', '\u{1f600}')).toBeLessThan(0);
    expect(compareUtf8('\u{1f600}', '\u{1f601}')).toBeLessThan(0);
  });
});

describe('isWellFormed', () => {
  it('tells lone surrogates from pairs', () => {
    expect(['', 'a', '\u{1f600}', '\uffff'].every(isWellFormed)).toBe(true);
    expect(['\ud83d', '\ude00', '\ude00\ud83d', 'a\ud800b'].some(isWellFormed)).toBe(false);
  });
});

describe('printable', () => {
  it('escapes what could break a line or hide text, and keeps the rest', () => {
    expect(printable('/tmp/ü 日本/a\nb\u001b[0m')).toBe('/tmp/ü 日本/a\\u000ab\\u001b[0m');
    expect(printable('\u202e\u2028\u0085\ufeff\u{e0041}')).toBe('\\u202e\\u2028\\u0085\\ufeff\\u{e0041}');
  });
});

describe('quote', () => {
  it('puts a name in quotes and cuts a long one', () => {
    expect(quote('a"b\n')).toBe('"a\\"b\\n"');
    expect(quote('x'.repeat(1000))).toBe(`"${'x'.repeat(120)}…"`);
  });
});

describe('canonicalJson', () => {
  it('gives one text for one value, whatever the order of its keys', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'ü' }], a: { y: true, x: 0.5 } })).toBe(
      '{"a":{"x":0.5,"y":true},"b":[1,{"c":"ü","d":null}]}',
    );
  });

  it('leaves undefined properties out', () => {
    expect(canonicalJson({ b: undefined, a: 1 })).toBe('{"a":1}');
  });

  it('refuses what JSON would lose', () => {
    for (const value of [Number.NaN, { a: Number.POSITIVE_INFINITY }, { a: () => 1 }, undefined, { a: 1n }]) {
      expect(() => canonicalJson(value)).toThrow(TypeError);
    }
  });
});
