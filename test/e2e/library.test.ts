/** What the documentation imports from the package must be there, and its example of the whole method must work. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import * as library from '#wave/index.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith('.md'),
);
const imported = pages.flatMap((page) =>
  [...readFileSync(`${root}${page}`, 'utf8').matchAll(/import \{([^}]+)\} from 'wave-vit'/g)].flatMap(([, names]) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
      .map((name) => `${page}: ${name}`),
  ),
);

it('the documentation imports something', () => {
  expect(imported).toContain('README.md: pretrain');
});

it.each(imported)('is exported as documented: %s', (entry) => {
  expect(library).toHaveProperty(entry.split(': ')[1]);
});

it('loads by the name of the package', async () => {
  const name = 'wave-vit';
  expect(Object.keys(await import(name)).sort()).toEqual(Object.keys(library).sort());
});

it('makes models of other sizes from templates: examples/templates.mjs', { timeout: 180_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wave-example-'));
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [`${root}examples/templates.mjs`, folder]);
    expect(stderr).toBe('');
    const table = stdout.slice(stdout.indexOf('\nmodel ') + 1).trimEnd();
    const [head, ...rows] = table.split('\n').map((line) => line.split(/ {2,}/));
    expect(head).toEqual(['model', 'parameters', 'scalers', 'inherited', 'fitted', 'fine-tuned']);
    expect(rows.map(([name]) => name)).toEqual(['32x5', '48x3']);
    for (const [name, parameters, scalers, ...shares] of rows) {
      expect(Number(scalers)).toBeLessThan(0.02 * Number(parameters));
      const [inherited, , tuned] = shares.map((share) => Number.parseFloat(share));
      // Four classes: chance is 25 %.
      expect(inherited, `${name}, inherited`).toBeGreaterThan(50);
      expect(tuned, `${name}, fine-tuned`).toBeGreaterThan(80);
      expect(existsSync(join(folder, `tuned-${name}`, 'model.safetensors'))).toBe(true);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.each(['CE', 'KD', 'ANCESTOR', 'OWN', 'SCALERS', 'TEMPLATES'])('does not export %s, a name for itself', (name) => {
  expect(library).not.toHaveProperty(name);
});
