/** Which library wrote a checkpoint, and its tensors under timm's names. */
import { ModelError } from '../../base/errors.js';
import { quote } from '../../base/text.js';
import { chosenNames, huggingFaceKeys } from './huggingface-keys.js';
import { type Keys, prefixedKeys } from './keys.js';
import { checkVariant } from './unsupported.js';

/** Tensor shapes by name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** Libraries whose checkpoints are read. */
export type Library = 'timm' | 'huggingface';

/** A tensor of the file, or zeros in the place of one that it does not have. */
export interface Part {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly zeros: boolean;
}

/** The tensors of a checkpoint under timm's names. */
export interface Recognised {
  readonly library: Library;
  readonly keys: Keys;
  /** By parameter, in the order of the file. */
  readonly shapes: Shapes;
  /** What each parameter is joined of, along the first axis. */
  readonly parts: ReadonlyMap<string, readonly Part[]>;
  /** Tensors that no classifier needs: poolers and mask tokens. */
  readonly ignored: readonly string[];
  /** Tensors that belong to no parameter. */
  readonly unknown: readonly string[];
  /** Tensors that are missing though others of the same parameter are there; not those of biases. */
  readonly absent: readonly string[];
}

/** What wraps a timm model: nothing, PyTorch's parallel modules, a trainer's field, transformers' TimmWrapper. */
const PREFIXES = ['', 'module.', 'model.', 'timm_model.'] as const;
const PATCH_WEIGHT = 'patch_embed.proj.weight';
/** A backbone's own outputs and training aids; the head reads the tokens themselves. */
const IGNORED = /^(?:(?:vit|deit)\.)?(?:pooler\.dense\.(?:weight|bias)|embeddings\.mask_token)$/;
const QKV_BIAS = /^blocks\.\d+\.attn\.qkv\.bias$/;

/**
 * @param source what to call the checkpoint in errors
 * @throws ModelError when it is neither a timm nor a Hugging Face ViT, or parts of one parameter do not fit each other.
 */
export function recognise(shapes: Shapes, source: string): Recognised {
  const has = (tensor: string) => shapes.has(tensor);
  const prefix = PREFIXES.find((each) => has(each + PATCH_WEIGHT));
  if (prefix !== undefined) return gather('timm', prefixedKeys(prefix), shapes, source);
  const names = chosenNames(has);
  if (names !== undefined) return gather('huggingface', huggingFaceKeys(names), shapes, source);
  throw new ModelError(
    `${source}: is not a ViT as timm or Hugging Face save it: it has neither ${PATCH_WEIGHT} nor ` +
      'vit.embeddings.patch_embeddings.projection.weight; name a ViT or DeiT checkpoint',
  );
}

function gather(library: Library, keys: Keys, shapes: Shapes, source: string): Recognised {
  const parts = new Map<string, Part[]>();
  const [ignored, unknown, absent]: [string[], string[], string[]] = [[], [], []];
  checkVariant(shapes.keys(), source);
  for (const tensor of shapes.keys()) {
    const parameter = keys.parameterOf(tensor);
    if (IGNORED.test(tensor)) ignored.push(tensor);
    else if (parameter === undefined) unknown.push(tensor);
    else if (!parts.has(parameter)) parts.set(parameter, partsOf(parameter, { keys, shapes, absent }));
  }
  const joined = new Map([...parts].map(([parameter, own]) => [parameter, joinedShape(parameter, own, source)]));
  return { library, keys, shapes: joined, parts, ignored, unknown, absent };
}

interface File {
  readonly keys: Keys;
  readonly shapes: Shapes;
  /** Tensors that are missing are added to it. */
  readonly absent: string[];
}

/** One that is missing has the shape of those that are there. */
function partsOf(parameter: string, { keys, shapes, absent }: File): Part[] {
  const tensors = keys.tensorsOf(parameter);
  const known = tensors.find((tensor) => shapes.has(tensor)) as string;
  return tensors.map((tensor) => {
    const shape = shapes.get(tensor);
    if (shape) return { tensor, shape, zeros: false };
    if (!QKV_BIAS.test(parameter)) absent.push(tensor);
    return { tensor, shape: shapes.get(known) as readonly number[], zeros: true };
  });
}

function joinedShape(parameter: string, parts: readonly Part[], source: string): readonly number[] {
  const [first, ...others] = parts as [Part, ...Part[]];
  if (others.length === 0) return first.shape;
  for (const { tensor, shape } of others) {
    if (shape.join() === first.shape.join()) continue;
    throw new ModelError(
      `${source}: ${tensor} must be [${first.shape.join(', ')}] as ${quote(first.tensor)} is, found [${shape.join(', ')}]; ` +
        `${parameter} cannot be made of them`,
    );
  }
  const [rows = 0, ...rest] = first.shape;
  return [rows * parts.length, ...rest];
}
