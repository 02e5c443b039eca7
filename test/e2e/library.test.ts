/** What the documentation imports from the package must be there. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
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
