/** Loads a pipeline: the file is read, every stage checked against its kind, every target put into it. */
import { basename, extname, join } from 'node:path';
import { WaveError } from '../../base/errors.js';
import { checkSettings, type LoadConfigOptions, readSettings } from '../../config/load.js';
import { type Problem, throwProblems } from '../../config/problems.js';
import { lookUp, type MapEntry, type MapTree, type Origin } from '../../config/tree.js';
import type { Foreseen, StageKind, Target } from './kind.js';
import { STAGE_KINDS } from './kinds.js';
import { COMMON_KEYS, pipelineSchema, type TargetConfig } from './schema.js';
import { readStage } from './stage-settings.js';
import { isFor, type Pipeline, type Stage, sourceStage, type Task, taskDir } from './tasks.js';

export interface LoadPipelineOptions extends Omit<LoadConfigOptions<typeof pipelineSchema>, 'schema' | 'file'> {
  /** Path of the pipeline file. */
  readonly file: string;
  /** What `stage:` can name; default: all kinds of this version. */
  readonly kinds?: ReadonlyMap<string, StageKind>;
}

/** Names of targets are folders. */
const TARGET_NAME = /^[\w][\w.-]*$/;

/**
 * Reads and checks a pipeline as a whole; no data and no artifact is opened.
 *
 * @throws ConfigError with one line per problem, all of them at once.
 */
export async function loadPipeline({ kinds = STAGE_KINDS, ...options }: LoadPipelineOptions): Promise<Pipeline> {
  const read = readSettings({ ...options, schema: pipelineSchema });
  const { tree, problems, incomplete } = read;
  const checked = checkSettings(pipelineSchema, read);
  // A file that cannot be read leaves nothing more to be said.
  if (tree.kind !== 'map' || incomplete) throwProblems(problems);
  const top = tree as MapTree;
  const targets = readTargets(checked?.targets ?? [], top, problems);

  const entries = stageEntries(top);
  const names = [...entries.keys()];
  if (checked !== undefined && names.length === 0) {
    problems.push({ origin: lookUp(top, ['stages']).origin, path: 'stages', message: 'lists no stage; give one' });
  }
  const earlier = new Map<string, Stage>();
  for (const [name, entry] of entries) {
    const stage = readStage(name, entry, { problems, earlier, names, top, incomplete, targets, kinds });
    if (stage !== undefined) earlier.set(name, stage);
  }
  checkUsed(top, earlier, problems);
  throwProblems(problems);

  const stages = [...earlier.values()];
  const out = checked?.out ?? join('runs', basename(options.file, extname(options.file)));
  const tasks: Task[] = [];
  for (const stage of stages) {
    const origin = entries.get(stage.name)?.keyOrigin ?? top.origin;
    tasks.push(...(await tasksOf(stage, tasks, out, origin, problems)));
  }
  throwProblems(problems);
  return { file: options.file, out, targets, stages, tasks };
}

function stageEntries(top: MapTree): ReadonlyMap<string, MapEntry> {
  const stages = top.entries.get('stages')?.value;
  return stages?.kind === 'map' ? stages.entries : new Map();
}

function readTargets(configs: readonly TargetConfig[], top: MapTree, problems: Problem[]): Target[] {
  const taken = new Map<string, number>();
  return configs.map(({ name: given, ...sizes }, index) => {
    const name = given ?? `${sizes.width}x${sizes.depth}`;
    const { origin } = lookUp(top, ['targets', index, ...(given === undefined ? [] : ['name'])]);
    const path = `targets.${index}.name`;
    const before = taken.get(name.toLowerCase());
    if (!TARGET_NAME.test(name)) {
      const message = `expected letters, digits, -, _ and . (not first), found ${JSON.stringify(name)}`;
      problems.push({ origin, path, message });
    } else if (before !== undefined) {
      problems.push({ origin, path, message: `${name} is the name of targets.${before} already; give it another` });
    } else taken.set(name.toLowerCase(), index);
    return { name, ...sizes };
  });
}

/** A block at the top that no stage takes up would never be checked. */
function checkUsed(top: MapTree, stages: ReadonlyMap<string, Stage>, problems: Problem[]): void {
  if (problems.length > 0) return;
  for (const key of COMMON_KEYS) {
    const entry = top.entries.get(key);
    if (entry === undefined || [...stages.values()].some(({ kind }) => Object.hasOwn(kind.schema.shape, key))) continue;
    problems.push({ origin: entry.keyOrigin, path: key, message: 'no stage has such a block; remove it' });
  }
}

/** @param earlier the tasks of the stages above that are without fault */
async function tasksOf(
  stage: Stage,
  earlier: readonly Task[],
  out: string,
  origin: Origin,
  problems: Problem[],
): Promise<Task[]> {
  const wanted: readonly (Target | undefined)[] = stage.targets ?? [undefined];
  const tasks: Task[] = [];
  const refused: (readonly [Target | undefined, string])[] = [];
  for (const target of wanted) {
    try {
      const facts = { target, inputs: foreseenInputs(stage, target, earlier) };
      const config = await stage.kind.prepare(stage.config, facts);
      const foreseen = stage.kind.foresee?.(config, facts) ?? {};
      tasks.push({ stage, target, config, foreseen, dir: taskDir(out, stage.name, target) });
    } catch (error) {
      if (!(error instanceof WaveError)) throw error;
      refused.push([target, error.message]);
    }
  }
  // What is wrong with every target is wrong with the stage.
  const common = refused.length === wanted.length && new Set(refused.map(([, message]) => message)).size === 1;
  for (const [target, message] of common ? refused.slice(0, 1) : refused) {
    const place = common || target === undefined ? '' : ` (target ${target.name})`;
    for (const line of message.split('\n')) {
      problems.push({ origin, path: `stages.${stage.name}${place}`, message: line });
    }
  }
  return tasks;
}

function foreseenInputs(
  { inputs }: Stage,
  target: Target | undefined,
  earlier: readonly Task[],
): ReadonlyMap<string, Foreseen> {
  const known = [...inputs].map(([role, source]) => {
    if (source.type === 'file') return [role, { file: source.path }] as const;
    const maker = earlier.find((task) => task.stage === sourceStage(source) && isFor(task, target));
    return [role, maker?.foreseen ?? {}] as const;
  });
  return new Map(known);
}
