/** Recipes: settings that belong together, under one name. What a configuration says itself always wins over them. */
import { z } from 'zod';
import { withoutDisplaced } from './alternatives.js';
import { type JsonSchema, knownKeys } from './expected.js';
import { layUnder, lookUp, type MapTree, type Tree, treeOf } from './tree.js';

/** The key at the top of a configuration that names its recipe. */
const RECIPE_KEY = 'recipe';

/**
 * DeiT on ImageNet-1K (Touvron et al. 2021, table 9). The learning rate is for 512 images a step and scaled to those of the
 * run, so the batch is the user's to choose. No average of the weights: the paper finds that its gain vanishes.
 */
const DEIT = {
  data: {
    image: 224,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
    resize: { mode: 'shortest', crop_pct: 0.875, interpolation: 'bicubic' },
    augment: {
      random_resized_crop: { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
      flip: true,
      rand_augment: 'rand-m9-mstd0.5-inc1',
      color_jitter: 0.3,
      erasing: 0.25,
      erasing_mode: 'pixel',
      mixup: 0.8,
      cutmix: 1,
      mixup_prob: 1,
      mixup_switch: 0.5,
      repeats: 3,
    },
  },
  train: {
    epochs: 300,
    lr: 5e-4,
    lr_base_batch: 512,
    min_lr: 1e-5,
    warmup_epochs: 5,
    warmup_lr: 1e-6,
    weight_decay: 0.05,
    betas: [0.9, 0.999],
    eps: 1e-8,
    clip: null,
    label_smoothing: 0.1,
    drop_path: 0.1,
  },
} as const;

/** Every recipe by name: defaults under those of a configuration. */
export const RECIPES = { deit: DEIT } as const satisfies Readonly<Record<string, object>>;

/** The key `recipe:` of the stages that have it; {@link withRecipe} does what it says. */
export const recipeShape = {
  [RECIPE_KEY]: z
    .enum(Object.keys(RECIPES) as (keyof typeof RECIPES)[])
    .nullable()
    .default(null)
    .describe('defaults that belong together, for all that is not given; null = none'),
};

/**
 * Fills the settings of the recipe that a tree names in, wherever the tree says nothing itself.
 *
 * @param schema of the tree; without the key in it, a recipe is an unknown key like any other
 */
export function withRecipe(tree: Tree, schema: JsonSchema): Tree {
  const { node } = lookUp(tree, [RECIPE_KEY]);
  if (tree.kind !== 'map' || node?.kind !== 'scalar') return tree;
  const name = String(node.value);
  if (!Object.hasOwn(RECIPES, name) || !knownKeys(schema, [], () => undefined).includes(RECIPE_KEY)) return tree;
  const origin = { ...node.origin, text: `${node.origin.text} (recipe ${name})` };
  const recipe = treeOf(RECIPES[name as keyof typeof RECIPES], origin) as MapTree;
  const blocks = [...recipe.entries].map(([key, entry]) => {
    const value = withoutDisplaced(key, entry.value, tree.entries.get(key)?.value);
    return [key, { ...entry, value }] as const;
  });
  return layUnder({ ...recipe, entries: new Map(blocks) }, tree);
}
