/** Template banks and scalers as files. */
import { z } from 'zod';
import { ConfigError, ModelError } from '../base/errors.js';
import {
  type ArtifactKind,
  CheckpointError,
  expectKind,
  type Lineage,
  openSafetensors,
  sha256File,
  type TensorInput,
  writeArtifact,
} from '../checkpoint/index.js';
import { parameterShapes } from '../model/parameters.js';
import { geometry, type ModelSpec, modelSpecSchema } from '../model/spec.js';
import {
  type BankSpec,
  bankSpecSchema,
  checkLayout,
  OWN,
  SCALERS,
  scalerShapes,
  templateLayoutSchema,
  templateShapes,
} from './bank.js';
import type { NamedValues } from './inherit-host.js';
import { isHead } from './kinds.js';

/** Stored as `wave.spec` of a `scalers` artifact. */
export const scalersSpecSchema = z.strictObject({
  /** The model that the scalers make of the templates. */
  model: modelSpecSchema,
  templates: templateLayoutSchema,
  /** SHA-256 of the `templates` artifact that they belong to. */
  templates_sha256: z.string(),
});

export type ScalersSpec = z.infer<typeof scalersSpecSchema>;

/** A `templates` artifact in memory. */
export interface LoadedBank {
  readonly spec: BankSpec;
  /** `templates.KIND` */
  readonly values: NamedValues;
  readonly sha256: string;
}

/** A `scalers` artifact in memory. */
export interface LoadedScalers {
  readonly spec: ScalersSpec;
  /** `scalers.KIND`, and `own.head.*` of a target with a head of its own. */
  readonly values: NamedValues;
  readonly sha256: string;
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/** @throws CheckpointError when it cannot be written; what was there before is then untouched. */
export async function saveTemplates(
  path: string,
  { spec, values, lineage }: { spec: BankSpec; values: NamedValues; lineage: Lineage },
): Promise<void> {
  const tensors = select(templateShapes(spec.model, spec.templates), values);
  await writeArtifact(path, { kind: 'templates', spec, lineage, tensors });
}

/** @throws CheckpointError when it cannot be written; what was there before is then untouched. */
export async function saveScalers(
  path: string,
  { spec, values, lineage }: { spec: ScalersSpec; values: NamedValues; lineage: Lineage },
): Promise<void> {
  const shapes = targetShapes(spec.model, spec, (name) => values.has(name));
  await writeArtifact(path, { kind: 'scalers', spec, lineage, tensors: select(shapes, values) });
}

/** @throws CheckpointError when the file cannot be read, is another kind of artifact, or does not hold what its spec says. */
export async function loadTemplates(path: string): Promise<LoadedBank> {
  return load(path, 'templates', bankSpecSchema, (spec) => templateShapes(spec.model, spec.templates));
}

/** @throws CheckpointError as {@link loadTemplates}. */
export async function loadScalers(path: string): Promise<LoadedScalers> {
  return load(path, 'scalers', scalersSpecSchema, (spec, has) => targetShapes(spec.model, spec, has));
}

/**
 * Checks that scalers and templates belong together.
 *
 * @throws ConfigError when the scalers were made for other templates.
 */
export function checkTogether(
  templates: { readonly path: string; readonly bank: LoadedBank },
  scalers: { readonly path: string; readonly scalers: LoadedScalers },
): void {
  const wanted = scalers.scalers.spec.templates_sha256;
  if (wanted === templates.bank.sha256) return;
  throw new ConfigError(
    `${scalers.path}: belongs to templates with sha256 ${wanted.slice(0, 12)}..., ` +
      `${templates.path} has ${templates.bank.sha256.slice(0, 12)}...; name the templates that the scalers were made for`,
  );
}

/** Scalers of a target, and its own head where it has one: that takes the place of the head's scalers. */
function targetShapes(model: ModelSpec, spec: ScalersSpec, has: (name: string) => boolean): Shapes {
  const own = [...parameterShapes(model)].filter(([name]) => isHead(name) && has(OWN + name));
  const shapes = new Map(scalerShapes(model, spec.templates));
  for (const [name, shape] of own) {
    shapes.delete(SCALERS + name);
    shapes.set(OWN + name, shape);
  }
  return shapes;
}

function select(shapes: Shapes, values: NamedValues): Map<string, TensorInput> {
  const tensors = new Map<string, TensorInput>();
  for (const [name, shape] of shapes) {
    tensors.set(name, { dtype: 'F32', shape, data: values.get(name) as Float32Array });
  }
  return tensors;
}

interface Loaded<Spec> {
  readonly spec: Spec;
  readonly values: NamedValues;
  readonly sha256: string;
}

/** Sizes that a schema cannot check: those of the model fit together, and templates of this width make it. */
function checkSizes({ model, templates }: Pick<BankSpec, 'model' | 'templates'>, path: string): void {
  try {
    geometry(model);
    checkLayout(model, templates, 'model');
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw invalid(path, `metadata wave.spec: ${error.message}`);
  }
}

async function load<Spec extends Pick<BankSpec, 'model' | 'templates'>>(
  path: string,
  kind: ArtifactKind,
  schema: z.ZodType<Spec>,
  shapesOf: (spec: Spec, has: (name: string) => boolean) => Shapes,
): Promise<Loaded<Spec>> {
  const file = await openSafetensors(path);
  try {
    const parsed = schema.safeParse(expectKind(file, kind).spec);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      const place = ['metadata wave.spec', ...(issue?.path.length ? [issue.path.join('.')] : [])].join(': ');
      throw invalid(path, `${place}: ${issue?.message}`);
    }
    checkSizes(parsed.data, path);
    const values = new Map<string, Float32Array>();
    for (const [name, shape] of shapesOf(parsed.data, (candidate) => file.tensors.has(candidate))) {
      const found = file.tensors.get(name)?.shape;
      if (found?.join() !== shape.join()) {
        const what = found === undefined ? 'is missing' : `is [${found.join(', ')}]`;
        throw invalid(path, `${name} ${what}, expected [${shape.join(', ')}]`);
      }
      values.set(name, await file.readFloat32(name));
    }
    return { spec: parsed.data, values, sha256: await sha256File(file.files[0]) };
  } finally {
    await file.close();
  }
}

function invalid(path: string, problem: string): CheckpointError {
  return new CheckpointError('InvalidArtifact', path, `${problem}; write the file again`);
}
