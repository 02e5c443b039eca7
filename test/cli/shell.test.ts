/** Commands that the documentation shows can be pasted into a shell. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { shellWords } from '../support/shell.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = ['README.md', ...readdirSync(`${root}docs`).map((name) => `docs/${name}`)].filter((page) =>
  page.endsWith('.md'),
);

/** Commands in blocks of code, and `--set` in running text. */
function commandsOf(page: string): string[] {
  const text = readFileSync(root + page, 'utf8');
  const blocks = text.split('\n').flatMap((line) => {
    const command = /^\s*(?:\$ )?((?:npx )?wave [a-z].*?)(?:\s+#.*)?$/.exec(line)?.[1];
    return command === undefined ? [] : [command];
  });
  return [...blocks, ...[...text.matchAll(/`(--set [^`]+)`/g)].map(([, shown]) => shown)];
}

const commands = pages.flatMap((page) => commandsOf(page).map((command) => [page, command] as const));

it('the documentation shows commands', () => {
  expect(commands).toContainEqual(['docs/pipeline.md', 'wave run configs/quickstart.yaml']);
  expect(commands).toContainEqual(['docs/configuration.md', '--set data.limit=null']);
});

it.each(commands)('%s: %s', (_page, command) => {
  expect(shellWords(command).length).toBeGreaterThan(1);
});

describe('shellWords', () => {
  it('takes quotes off and keeps what is in them together', () => {
    expect(shellWords(`wave x --set 'a=[{b: 1}]' "c d"e ''`)).toEqual(['wave', 'x', '--set', 'a=[{b: 1}]', 'c de', '']);
  });

  it.each(['a=[]', 'a={b:1}', '*.png', 'what?', 'hi!', '$HOME', '"$HOME"', "'open"])('refuses %s', (word) => {
    expect(() => shellWords(`wave x ${word}`)).toThrow(/single quotes|stays open/);
  });
});
