/** Reads one entry of `stages:`: its kind, its settings over the common blocks, its inputs. */
import { z } from 'zod';
import { withoutDisplaced } from '../../config/alternatives.js';
import { inputSchema } from '../../config/expected.js';
import { closest } from '../../config/index.js';
import { checkSettings, type ReadSettings } from '../../config/load.js';
import { type Problem, pathText, quoted } from '../../config/problems.js';
import { withRecipe } from '../../config/recipes.js';
import { type ListTree, lookUp, type MapEntry, type MapTree, mergeTrees, plainOf } from '../../config/tree.js';
import type { StageKind, Target } from './kind.js';
import { readInputs, type Surroundings } from './references.js';
import { COMMON_KEYS } from './schema.js';
import { type Stage, sourceStage } from './tasks.js';

/** What a stage is checked against. */
export interface Around extends Surroundings {
  /** The top of the pipeline. */
  readonly top: MapTree;
  readonly incomplete: boolean;
  readonly targets: readonly Target[];
  /** Kinds by name. */
  readonly kinds: ReadonlyMap<string, StageKind>;
}

const KIND_KEY = 'stage';
const EACH_KEY = 'each';

/** Small letters only: names are folders, and some systems do not tell `Fit` from `fit`. */
const STAGE_NAME = /^[a-z0-9][a-z0-9_-]*$/;

const eachSchema = z.union([z.literal('targets'), z.array(z.string()).min(1)]);

/** @returns undefined when the stage cannot be used; why goes to the problems. */
export function readStage(name: string, { keyOrigin, value }: MapEntry, around: Around): Stage | undefined {
  const { problems, top, incomplete, kinds } = around;
  const before = problems.length;
  const path = pathText(['stages', name]);
  const refuse = (message: string) => void problems.push({ origin: keyOrigin, path, message });
  if (!STAGE_NAME.test(name)) {
    refuse('the name of a stage is made of small letters, digits, - and _');
    return undefined;
  }
  if (value.kind !== 'map') return undefined; // The schema of the top has refused it.
  const found = kindOf(name, value, kinds, problems, keyOrigin);
  if (found === undefined) return undefined;
  const { kindName, kind } = found;

  const common = COMMON_KEYS.flatMap((key): [string, MapEntry][] => {
    const entry = top.entries.get(key);
    if (entry === undefined || !Object.hasOwn(kind.schema.shape, key)) return [];
    return [[key, { ...entry, value: withoutDisplaced(key, entry.value, value.entries.get(key)?.value) }]];
  });
  const written = mergeTrees({ kind: 'map', origin: value.origin, entries: new Map(common) }, value);
  const merged = withRecipe(written, inputSchema(kind.schema));
  const settings: ReadSettings = { tree: merged, problems, incomplete };
  const inCommon = (place: readonly PropertyKey[]) =>
    lookUp(value, place).node === undefined && lookUp(top, place).node !== undefined;
  const nameOf = (place: readonly PropertyKey[]) => pathText(inCommon(place) ? place : ['stages', name, ...place]);
  checkSettings(withOwnKeys(kind), settings, nameOf);
  const inputs = readInputs(name, kind, value, around);
  if (problems.length > before) return undefined;

  const targets = targetsOf(name, value, kind, inputs, around, refuse);
  if (problems.length > before) return undefined;
  // Once more as the kind has it, for rules that tie blocks together.
  const config = checkSettings(kind.schema, { ...settings, tree: onlySettings(merged as MapTree, kind) }, nameOf);
  if (config === undefined) return undefined;
  const all = new Map([...inputs, ...(kind.implied?.(config, inputs) ?? [])]);
  return { name, kindName, kind, config, inputs: all, targets };
}

function kindOf(
  name: string,
  tree: MapTree,
  kinds: ReadonlyMap<string, StageKind>,
  problems: Problem[],
  keyOrigin: MapEntry['keyOrigin'],
): { readonly kindName: string; readonly kind: StageKind } | undefined {
  const entry = tree.entries.get(KIND_KEY)?.value;
  const written = entry === undefined ? name : plainOf(entry);
  const kind = typeof written === 'string' ? kinds.get(written) : undefined;
  if (typeof written === 'string' && kind !== undefined) return { kindName: written, kind };
  const known = [...kinds.keys()];
  const near = typeof written === 'string' ? closest(written, known) : undefined;
  const hint = near === undefined ? '' : `, did you mean \`${near}\`?`;
  if (entry === undefined) {
    const message = `no kind of stage is called so; add stage: with one of ${known.join(', ')}${hint}`;
    problems.push({ origin: keyOrigin, path: `stages.${name}`, message });
  } else {
    const shown = typeof written === 'string' ? quoted(written) : JSON.stringify(written);
    const message = `expected one of ${known.join(', ')}, found ${shown}${hint}`;
    problems.push({ origin: entry.origin, path: `stages.${name}.${KIND_KEY}`, message });
  }
  return undefined;
}

/** The targets that a stage is run for; undefined for a stage that is run once. */
function targetsOf(
  name: string,
  { entries }: MapTree,
  { perTarget }: StageKind,
  inputs: Stage['inputs'],
  { targets, problems }: Around,
  refuse: (message: string) => void,
): readonly Target[] | undefined {
  const each = entries.get(EACH_KEY)?.value;
  const limits = [...inputs.values()].flatMap((source) => {
    const limit = sourceStage(source)?.targets;
    return limit === undefined ? [] : [limit];
  });
  if (perTarget !== 'always' && each === undefined && limits.length === 0) return undefined;
  if (targets.length === 0) {
    refuse('is run once per target, and targets: lists none');
    return [];
  }
  const before = problems.length;
  if (each?.kind === 'list') limits.push(named(each, targets, name, problems));
  const wanted = targets.filter((target) => limits.every((limit) => limit.includes(target)));
  if (wanted.length === 0 && problems.length === before) refuse('is run for no target: its inputs are made for others');
  return wanted;
}

function named({ items }: ListTree, targets: readonly Target[], stage: string, problems: Problem[]): Target[] {
  const names = targets.map(({ name }) => name);
  return items.flatMap((item, index) => {
    const name = String(plainOf(item));
    const target = targets.find((one) => one.name === name);
    if (target !== undefined) return [target];
    const near = closest(name, names);
    const hint = near === undefined ? `expected one of ${names.join(', ')}` : `did you mean \`${near}\`?`;
    problems.push({
      origin: item.origin,
      path: `stages.${stage}.${EACH_KEY}.${index}`,
      message: `no target is called ${quoted(name)}; ${hint}`,
    });
    return [];
  });
}

/** The schema of the kind with the keys that belong to the pipeline. */
function withOwnKeys(kind: StageKind): z.ZodType {
  const roles = Object.keys(kind.roles).map((role) => [role, z.string().min(1).optional()]);
  return z.strictObject({
    ...kind.schema.shape,
    [KIND_KEY]: z.string().optional(),
    ...(kind.perTarget === 'inputs' ? {} : { [EACH_KEY]: eachSchema.optional() }),
    ...Object.fromEntries(roles),
  });
}

function onlySettings(tree: MapTree, kind: StageKind): MapTree {
  const own = new Set([KIND_KEY, EACH_KEY, ...Object.keys(kind.roles)]);
  return { ...tree, entries: new Map([...tree.entries].filter(([key]) => !own.has(key))) };
}
