/** Opens a model: an artifact of this suite or a bare timm checkpoint. */
import { ConfigError, ModelError } from '../base/errors.js';
import {
  expectKind,
  openSafetensors,
  readArtifactInfo,
  type SafetensorsReader,
  sha256File,
} from '../checkpoint/index.js';
import { checkShapes, detectSpec, HEADS_FLAG, type Hints } from './detect.js';
import { parameterShapes } from './parameters.js';
import { type ModelSpec, modelSpecSchema } from './spec.js';

/** What a checkpoint says about its model. */
export interface LoadedSpec {
  readonly spec: ModelSpec;
  /** SHA-256 of the (first) file, for the lineage of what is made from it. */
  readonly sha256: string;
  /** The checkpoint's metadata said what it is; otherwise the spec was read off its shapes. */
  readonly described: boolean;
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
    const loaded = await readSpec(file, path, hints);
    const values = new Map<string, Float32Array>();
    for (const name of parameterShapes(loaded.spec).keys()) values.set(name, await file.readFloat32(name));
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
    return await readSpec(file, path, hints);
  } finally {
    await file.close();
  }
}

async function readSpec(file: SafetensorsReader, path: string, hints: Hints): Promise<LoadedSpec> {
  const described = readArtifactInfo(file) !== undefined;
  const shapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
  const spec = described ? storedSpec(storedBy(file, hints), path) : detectSpec(shapes, hints, path);
  if (hints.heads !== undefined && hints.heads !== spec.heads) {
    const flag = hints.headsFlag ?? HEADS_FLAG;
    throw new ConfigError(`${path}: has ${spec.heads} heads, ${flag} says ${hints.heads}; leave ${flag} out`);
  }
  checkShapes(spec, shapes, path);
  return { spec, sha256: await sha256File(file.files[0]), described };
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
