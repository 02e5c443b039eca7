/** Opens a model: an artifact of this suite or a bare timm checkpoint. */
import { ModelError } from '../base/errors.js';
import { expectKind, openSafetensors, readArtifactInfo, sha256File } from '../checkpoint/index.js';
import { checkShapes, detectSpec, type Hints } from './detect.js';
import { parameterShapes } from './parameters.js';
import { type ModelSpec, modelSpecSchema } from './spec.js';

export interface LoadedModel {
  readonly spec: ModelSpec;
  /** Values by timm name, in the order of `parameterShapes`. */
  readonly values: ReadonlyMap<string, Float32Array>;
  /** SHA-256 of the (first) file, for the lineage of what is made from it. */
  readonly sha256: string;
  /** The checkpoint's metadata said what it is; otherwise the spec was read off its shapes. */
  readonly described: boolean;
}

/**
 * @throws CheckpointError when the file cannot be read or is another kind of artifact; ModelError when it does not hold
 * the tensors of its spec, or shapes do not tell all and `hints` do not either.
 */
export async function loadModel(path: string, hints: Hints = {}): Promise<LoadedModel> {
  const file = await openSafetensors(path);
  try {
    const described = readArtifactInfo(file) !== undefined;
    const shapes = new Map([...file.tensors].map(([name, { shape }]) => [name, shape]));
    const spec = described ? storedSpec(expectKind(file, 'model').spec, path) : detectSpec(shapes, hints, path);
    if (hints.heads !== undefined && hints.heads !== spec.heads) {
      throw new ModelError(`${path}: has ${spec.heads} heads, --heads says ${hints.heads}; leave --heads out`);
    }
    checkShapes(spec, shapes, path);
    const values = new Map<string, Float32Array>();
    for (const name of parameterShapes(spec).keys()) values.set(name, await file.readFloat32(name));
    return { spec, values, sha256: await sha256File(file.files[0]), described };
  } finally {
    await file.close();
  }
}

function storedSpec(stored: unknown, path: string): ModelSpec {
  const parsed = modelSpecSchema.safeParse(stored);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ModelError(
    `${path}: metadata wave.spec: ${issue?.path.join('.')}: ${issue?.message}; write the model again`,
  );
}
