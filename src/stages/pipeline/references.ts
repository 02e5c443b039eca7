/** The inputs of a stage: names of earlier stages, or files. */
import type { ArtifactKind } from '../../checkpoint/index.js';
import { isOnnxPath } from '../../checkpoint/onnx-path.js';
import { closest } from '../../config/index.js';
import { type Problem, quoted } from '../../config/problems.js';
import type { MapTree } from '../../config/tree.js';
import type { StageKind } from './kind.js';
import type { Source, Stage } from './tasks.js';

/** What is known when the inputs of a stage are read. */
export interface Surroundings {
  readonly problems: Problem[];
  /** The stages above that are without fault. */
  readonly earlier: ReadonlyMap<string, Stage>;
  /** Names of all stages, in order. */
  readonly names: readonly string[];
}

/** @returns where the inputs come from, by role; what is wrong with them goes to the problems. */
export function readInputs(
  name: string,
  kind: StageKind,
  tree: MapTree,
  { problems, earlier, names }: Surroundings,
): Map<string, Source> {
  const inputs = new Map<string, Source>();
  for (const [role, wanted] of Object.entries(kind.roles)) {
    const value = tree.entries.get(role)?.value;
    // What is no text, the schema has refused.
    if (value?.kind !== 'scalar' || typeof value.value !== 'string') continue;
    const text = value.value;
    const refuse = (message: string) => {
      problems.push({ origin: value.origin, path: `stages.${name}.${role}`, message });
    };
    const stage = earlier.get(text);
    if (isPath(text)) inputs.set(role, { type: 'file', path: text });
    else if (stage === undefined) {
      const message = unknownStage(text, name, names);
      if (message !== undefined) refuse(message);
    } else if (stage.kind.outputs(stage.config)[wanted] === undefined) {
      refuse(`expected a stage that makes ${NOUNS[wanted]}; ${quoted(text)} (${stage.kindName}) makes ${made(stage)}`);
    } else inputs.set(role, { type: 'stage', stage });
  }
  checkWays(name, kind, tree, problems);
  return inputs;
}

const NOUNS: Readonly<Record<ArtifactKind, string>> = {
  model: 'a model',
  templates: 'templates',
  scalers: 'scalers',
  state: 'a state',
};

function isPath(text: string): boolean {
  return /[/\\]/.test(text) || text.endsWith('.safetensors') || isOnnxPath(text);
}

function made({ kind, config }: Stage): string {
  const kinds = Object.keys(kind.outputs(config)) as ArtifactKind[];
  return kinds.length === 0 ? 'no file' : kinds.map((one) => NOUNS[one]).join(' and ');
}

/** Undefined for a stage above that is at fault itself: its own problems are told. */
function unknownStage(text: string, name: string, names: readonly string[]): string | undefined {
  const above = names.slice(0, names.indexOf(name));
  if (above.includes(text)) return undefined;
  if (text === name) return 'a stage cannot read what it makes itself; name an earlier one';
  if (names.includes(text)) return `stage ${quoted(text)} comes later; move it above ${quoted(name)}`;
  const near = closest(text, above);
  if (near !== undefined) return `no stage is called ${quoted(text)}, did you mean \`${near}\`?`;
  const choice = above.length === 0 ? 'none comes before this one' : `expected one of ${above.join(', ')}`;
  return `no stage is called ${quoted(text)}; ${choice}, or the path of a file (with a /, .safetensors or .onnx)`;
}

/** Whether the roles that are given are enough, and not too many. */
function checkWays(name: string, { ways, roles }: StageKind, tree: MapTree, problems: Problem[]): void {
  if (ways.length === 0) return;
  const given = Object.keys(roles).filter((role) => tree.entries.has(role));
  const bound = given.filter((role) => ways.some((way) => way.includes(role)));
  if (ways.some((way) => way.length === bound.length && way.every((role) => bound.includes(role)))) return;
  const wanted = ways.map((way) => way.join(' and ')).join(', or ');
  const found = bound.length === 0 ? 'none' : bound.join(' and ');
  const message = `needs as input: ${wanted}; found ${found}`;
  problems.push({ origin: tree.origin, path: `stages.${name}`, message });
}
