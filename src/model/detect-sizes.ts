/** Sizes of a ViT by the shapes of its parameters. */
import { ModelError } from '../base/errors.js';
import type { Stated } from './detect-stated.js';
import type { Recognised, Shapes } from './formats/recognise.js';
import type { ModelSpec } from './spec.js';

/** @throws ModelError naming the tensor that is missing, or that no ViT has so. */
export function sizesOf(found: Recognised, stated: Stated): Omit<ModelSpec, 'heads' | 'eps'> {
  const { source, facts } = stated;
  const inFile = (name: string) => found.keys.tensorsOf(name).join(' and ') || name;
  const shape = (name: string, rank: number): readonly number[] => {
    const own = found.shapes.get(name);
    if (!own) throw new ModelError(`${source}: tensor ${inFile(name)} is missing; ${whatIsMissing(name)}`);
    if (own.length === rank) return own;
    throw new ModelError(
      `${source}: ${inFile(name)} must have ${rank} axes, found [${own.join(', ')}]; name a ViT or DeiT`,
    );
  };
  const [width, channels, patch, patchAcross] = shape('patch_embed.proj.weight', 4);
  if (patch !== patchAcross) {
    throw new ModelError(`${source}: patches must be square, found ${patch}x${patchAcross}; name another model`);
  }
  const [classes] = shape('head.weight', 2);
  const [, positions] = shape('pos_embed', 3);
  const depth = depthOf(found.shapes, source, inFile);
  const [hidden] = shape('blocks.0.mlp.fc1.weight', 2);
  const class_token = found.shapes.has('cls_token');
  const distillation_token = found.shapes.has('dist_token');
  const register_tokens = found.shapes.has('reg_token') ? shape('reg_token', 3)[1] : 0;
  const final_norm = found.shapes.has('fc_norm.weight') ? 'fc_norm' : 'norm';
  const prefix = Number(class_token) + Number(distillation_token) + register_tokens;
  return {
    ...imageSize({ positions, prefix, patch, hasPlaces: found.library === 'huggingface' }, stated),
    patch,
    channels,
    depth,
    width,
    hidden,
    classes,
    pool: facts?.pool ?? (final_norm === 'fc_norm' || !class_token ? 'avg' : 'token'),
    final_norm,
    class_token,
    distillation_token,
    register_tokens,
  };
}

function whatIsMissing(name: string): string {
  if (name === 'head.weight') return 'a backbone without a classifier cannot be used: name a classifier';
  if (name === 'pos_embed') return 'a model without learned positions cannot be run: name a plain ViT or DeiT';
  return 'name a ViT or DeiT checkpoint';
}

/** Blocks from 0 on without a gap. */
function depthOf(shapes: Shapes, source: string, inFile: (name: string) => string): number {
  const norm = (block: number) => `blocks.${block}.norm1.weight`;
  const blocks = [...shapes.keys()].flatMap((name) => /^blocks\.(\d+)\./.exec(name)?.slice(1).map(Number) ?? []);
  if (blocks.length === 0) throw new ModelError(`${source}: is not a ViT: it has no ${inFile(norm(0))}`);
  const last = blocks.reduce((most, block) => Math.max(most, block));
  for (let block = 0; block <= last; block++) {
    if (shapes.has(norm(block))) continue;
    throw new ModelError(
      `${source}: tensor ${inFile(norm(block))} is missing, though there is block ${last}; get the whole file`,
    );
  }
  return last + 1;
}

interface Rows {
  readonly positions: number;
  readonly prefix: number;
  readonly patch: number;
  /** Whether prefix tokens certainly have positions. */
  readonly hasPlaces: boolean;
}

/** Whether positions cover the prefix tokens, and the image that the rest stands for. */
function imageSize(
  { positions, prefix, patch, hasPlaces }: Rows,
  { source, facts, hints }: Stated,
): Pick<ModelSpec, 'image' | 'position_prefix'> {
  const stated = hints.image ?? facts?.image;
  for (const position_prefix of hasPlaces ? [true] : [true, false]) {
    const patches = positions - (position_prefix ? prefix : 0);
    if (stated && fits(stated, patch, patches)) return { image: [...stated], position_prefix };
    const side = Math.sqrt(patches);
    if (!stated && side > 0 && Number.isInteger(side)) return { image: [side * patch, side * patch], position_prefix };
  }
  const found = `${source}: ${positions} positions with ${prefix} prefix tokens`;
  if (hints.image) {
    throw new ModelError(
      `${found} do not fit an image of ${hints.image.join('x')} in patches of ${patch}; give the size that the checkpoint ` +
        'was made for',
    );
  }
  if (facts?.image) {
    throw new ModelError(
      `${found} do not fit the image of ${facts.image.join('x')} that ${facts.from} says, in patches of ${patch}; use the ` +
        'config.json that belongs to the checkpoint, or convert it with wave convert --from-image HxW',
    );
  }
  throw new ModelError(
    `${found} are no square grid of patches; put its config.json beside it, or convert it with wave convert --from-image HxW`,
  );
}

function fits([height, width]: readonly [number, number], patch: number, patches: number): boolean {
  return height % patch === 0 && width % patch === 0 && (height / patch) * (width / patch) === patches;
}
