/** Every file under configs/ is one that its stage accepts, and says how it is used. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { parseArguments } from '#wave/cli/parse.js';
import { COMMANDS } from '#wave/cli/registry.js';
import { loadConfig } from '#wave/config/index.js';
import { checkDistill, distillSchema } from '#wave/stages/distill.js';
import { evaluateSchema } from '#wave/stages/evaluate.js';
import { finetuneSchema } from '#wave/stages/finetune.js';
import { fitSchema } from '#wave/stages/fit.js';
import { loadPipeline } from '#wave/stages/pipeline/index.js';
import { checkPretrain, pretrainSchema } from '#wave/stages/pretrain.js';
import { shellWords } from '../support/shell.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The settings of a stage, by the name of its command and of the files for it. */
const STAGES: Readonly<Record<string, z.ZodType>> = {
  pretrain: pretrainSchema,
  distill: distillSchema,
  fit: fitSchema,
  finetune: finetuneSchema,
};

const all = readdirSync(join(root, 'configs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.ya?ml$/.test(name))
  .map((name) => `configs/${name.replaceAll('\\', '/')}`);
const isPipeline = (file: string) => /^stages:/m.test(readFileSync(join(root, file), 'utf8'));
const pipelines = all.filter(isPipeline);
const files = all.filter((file) => !isPipeline(file));

/** The lines of the comment that a file opens with, without their `#`. */
function openingComment(text: string): string[] {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines.slice(0, end).map((line) => line.slice(1).trim());
}

it('there are configurations to check', () => {
  expect(files).toEqual(expect.arrayContaining(Object.keys(STAGES).map((stage) => `configs/mnist/${stage}.yaml`)));
});

it('there is a pipeline to check', () => {
  expect(pipelines).toContain('configs/quickstart.yaml');
});

describe.each(pipelines)('%s', (file) => {
  const commands = openingComment(readFileSync(join(root, file), 'utf8')).filter((line) => line.startsWith('wave '));

  it('is accepted as a whole', async () => {
    expect((await loadPipeline({ file: join(root, file) })).tasks.length).toBeGreaterThan(0);
  });

  it('opens with the command that runs it', () => {
    expect(commands.some((command) => `${command} `.startsWith(`wave run ${file} `))).toBe(true);
  });

  it.each(commands)('shows a command that is accepted: %s', async (line) => {
    const [, name, ...words] = shellWords(line);
    const command = await COMMANDS.find((entry) => entry.name === name)?.load();
    if (!command) throw new Error(`no command ${name}`);
    const args = await parseArguments(name, command, words);
    await loadPipeline({ file: join(root, args.needText('pipeline')), sets: args.list('set') });
  });
});

describe.each(files)('%s', (file) => {
  const text = readFileSync(join(root, file), 'utf8');
  const commands = openingComment(text).filter((line) => line.startsWith('wave '));

  it('is named after a stage and accepted by it', () => {
    const schema = STAGES[basename(file, '.yaml')];
    expect(schema, `${file} must be named after a stage: ${Object.keys(STAGES).join(', ')}`).toBeDefined();
    const config = loadConfig({ schema, file: join(root, file) });
    if (schema === pretrainSchema) checkPretrain(pretrainSchema.parse(config));
    if (schema === distillSchema) checkDistill(distillSchema.parse(config));
  });

  it('serves an evaluation as it is', () => {
    expect(() => loadConfig({ schema: evaluateSchema, file: join(root, file) })).not.toThrow();
  });

  it('opens with the command that runs it', () => {
    const stage = basename(file, '.yaml');
    expect(commands.some((command) => command.startsWith(`wave ${stage} --config ${file} --out runs/`))).toBe(true);
  });

  it.each(commands)('shows a command that is accepted: %s', async (line) => {
    const [, name, ...words] = shellWords(line);
    const command = await COMMANDS.find((entry) => entry.name === name)?.load();
    if (!command) throw new Error(`no command ${name}`);
    const args = await parseArguments(name, command, words);
    const schema = name === 'eval' ? evaluateSchema : STAGES[name];
    const given = args.needText('config');
    // Where one stage needs another, its file shows the command of that one, too.
    if (name === basename(file, '.yaml')) expect(given).toBe(file);
    expect(files).toContain(given);
    loadConfig({ schema, file: join(root, given), sets: args.list('set') });
  });
});
