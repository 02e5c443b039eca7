/** docs/pipeline.md says what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadPipeline } from '#wave/stages/pipeline/index.js';
import { STAGE_KINDS } from '#wave/stages/pipeline/kinds.js';
import { pipelineSchema } from '#wave/stages/pipeline/schema.js';

const text = readFileSync(new URL('../../../docs/pipeline.md', import.meta.url), 'utf8');

/** Cells of the rows of the first table of a section, without code marks. */
function rows(title: string): string[][] {
  const section = text.split(/^##+ /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
  const table = /(?:^\|.*\n)+/m.exec(section)?.[0] ?? '';
  const lines = table.split('\n').slice(2, -1);
  return lines.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.replaceAll('`', '').trim()),
  );
}

describe('docs/pipeline.md', () => {
  it('describes every key of the file and no other', () => {
    const keys = rows('Keys of the file').flatMap(([cell]) => cell.split(', '));
    expect(keys.sort()).toEqual(Object.keys(pipelineSchema.shape).sort());
  });

  it('describes every key of a target and no other', () => {
    const keys = rows('Targets').map(([cell]) => cell);
    expect(keys.sort()).toEqual(Object.keys(pipelineSchema.shape.targets.unwrap().element.shape).sort());
  });

  it('lists the kinds of stages, in the order of the code', () => {
    expect(rows('Stages').map(([name]) => name)).toEqual([...STAGE_KINDS.keys()]);
  });

  it.each([...STAGE_KINDS])('names the inputs of %s', (name, { roles }) => {
    const [, inputs] = rows('Stages').find(([kind]) => kind === name) ?? [];
    const named = inputs
      .replaceAll(/\(.*?\)/g, '')
      .split(/\W+/)
      .filter((word) => ['ancestor', 'model', 'templates', 'scalers'].includes(word));
    expect([...new Set(named)].sort()).toEqual(Object.keys(roles).sort());
  });

  it('shows a pipeline that can be run', async () => {
    const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(text) ?? [];
    const { tasks, out } = await loadPipeline({ file: 'compare.yaml', text: yaml });
    expect([out, tasks.length]).toEqual(['runs/compare', 5]);
  });
});
