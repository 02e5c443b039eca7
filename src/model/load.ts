/** Opens a model: an artifact of this suite, or a checkpoint of timm or Hugging Face with what lies beside it. */
import { dirname } from 'node:path';
import { ConfigError, ModelError } from '../base/errors.js';
import { elementCount } from '../base/shape.js';
import {
  expectKind,
  openSafetensors,
  readArtifactInfo,
  type SafetensorsReader,
  sha256File,
} from '../checkpoint/index.js';
import { checkShapes } from './check-shapes.js';
import { detect } from './detect.js';
import type { Library, Part } from './formats/recognise.js';
import { readFacts, readImageProcessor } from './formats/sidecars.js';
import { HEADS_FLAG, type Hints } from './hints.js';
import { parameterShapes } from './parameters.js';
import { type ModelSpec, modelSpecSchema } from './spec.js';

/** What a checkpoint says about its model. */
export interface LoadedSpec {
  readonly spec: ModelSpec;
  /** SHA-256 of the file, or of all shards in the order of their names, for the lineage of what is made from it. */
  readonly sha256: string;
  /** Who wrote it. */
  readonly format: 'wave' | Library;
  /** How a checkpoint of another library was understood; empty for a model of this suite. */
  readonly reading: Reading;
}

/** How a checkpoint of another library was understood. */
export interface Reading {
  /** Where the heads are from: a file and its field, or a flag. */
  readonly headsFrom: string;
  readonly epsFrom: string;
  /** Parameters that are joined of several tensors. */
  readonly joined: number;
  /** Tensors that no classifier needs. */
  readonly ignored: readonly string[];
  /** Biases that are zeros because the file does not have them. */
  readonly filled: readonly string[];
  /** What of the files beside it was left aside, one line each. */
  readonly notes: readonly string[];
}

/** A model with its weights. */
export interface LoadedModel extends LoadedSpec {
  /** Values by timm name, in the order of `parameterShapes`. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/**
 * @throws CheckpointError when the file cannot be read or is another kind of artifact; ModelError when it does not hold
 * the tensors of its spec, or shapes do not tell all and `hints` do not either; ConfigError when `hints`
 * contradict it.
 */
export async function loadModel(path: string, hints: Hints = {}): Promise<LoadedModel> {
  const file = await openSafetensors(path);
  try {
    const { parts, ...loaded } = await readSpec(file, path, hints);
    const values = new Map<string, Float32Array>();
    for (const name of parameterShapes(loaded.spec).keys()) {
      values.set(name, await readJoined(file, parts?.get(name) ?? [{ tensor: name, shape: [], zeros: false }]));
    }
    return { ...loaded, values };
  } finally {
    await file.close();
  }
}

/**
 * The same without the values: reads the header and hashes the file.
 *
 * @throws CheckpointError, ModelError as {@link loadModel}
 */
export async function loadModelSpec(path: string, hints: Hints = {}): Promise<LoadedSpec> {
  const file = await openSafetensors(path);
  try {
    const { parts: _, ...loaded } = await readSpec(file, path, hints);
    return loaded;
  } finally {
    await file.close();
  }
}

/** A model of this suite stores its spec. */
const STORED = 'stored in the model';
const UNDERSTOOD: Reading = { headsFrom: STORED, epsFrom: STORED, joined: 0, ignored: [], filled: [], notes: [] };

/** A spec, and what its parameters are joined of; absent where each is one tensor of its own name. */
interface ReadSpec extends LoadedSpec {
  readonly parts?: ReadonlyMap<string, readonly Part[]>;
}

async function readSpec(file: SafetensorsReader, path: string, hints: Hints): Promise<ReadSpec> {
  const shapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
  if (readArtifactInfo(file) !== undefined) {
    const spec = storedSpec(storedBy(file, hints), path);
    checkKnown(spec, hints, path);
    checkShapes(spec, shapes, path);
    return { spec, sha256: await sha256File(file.files), format: 'wave', reading: UNDERSTOOD };
  }
  const folder = dirname(file.files[0] as string);
  const detected = detect(shapes, hints, path, await readFacts(folder));
  const { spec: bare, library, parts, ignored, filled, headsFrom, epsFrom, notes } = detected;
  const processor = await readImageProcessor(folder, bare);
  const spec = processor ? { ...bare, preprocess: processor.preprocess } : bare;
  const joined = [...parts.values()].filter((each) => each.length > 1 && !each.every(({ zeros }) => zeros)).length;
  const reading = { headsFrom, epsFrom, joined, ignored, filled, notes: [...notes, ...(processor?.notes ?? [])] };
  return { spec, sha256: await sha256File(file.files), format: library, reading, parts };
}

/** @throws ConfigError when hints contradict the spec that a model of this suite has. */
function checkKnown({ heads, eps, image }: ModelSpec, hints: Hints, path: string): void {
  const refuse = (known: string, flag: string, given: string | number) => {
    throw new ConfigError(`${path}: has ${known}, ${flag} says ${given}; leave ${flag} out`);
  };
  if (hints.heads !== undefined && hints.heads !== heads) {
    refuse(`${heads} heads`, hints.headsFlag ?? HEADS_FLAG, hints.heads);
  }
  if (hints.eps !== undefined && hints.eps !== eps) refuse(`epsilon ${eps}`, '--eps', hints.eps);
  if (hints.image && hints.image.join() !== image.join()) {
    refuse(`images of ${image.join('x')}`, '--from-image', hints.image.join('x'));
  }
}

/** The values of a parameter, joined along its first axis. */
async function readJoined(file: SafetensorsReader, parts: readonly Part[]): Promise<Float32Array> {
  const read = ({ tensor, shape, zeros }: Part) =>
    zeros ? new Float32Array(elementCount(shape)) : file.readFloat32(tensor);
  if (parts.length === 1) return read(parts[0] as Part);
  const values: Float32Array[] = [];
  for (const part of parts) values.push(await read(part));
  const joined = new Float32Array(values.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const each of values) {
    joined.set(each, at);
    at += each.length;
  }
  return joined;
}

/** @throws CheckpointError when the file is another kind of artifact. */
function storedBy(file: SafetensorsReader, { insteadOfModel }: Hints): unknown {
  const other = insteadOfModel === undefined ? '' : `, or give ${insteadOfModel}`;
  return expectKind(file, 'model', `name another file${other}`).spec;
}

function storedSpec(stored: unknown, path: string): ModelSpec {
  const parsed = modelSpecSchema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ModelError(
    `${path}: metadata wave.spec: ${issue?.path.join('.')}: ${issue?.message}; write the model again`,
  );
}
