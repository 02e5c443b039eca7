/**
 * What timm's names of architectures say: which are plain ViTs, and their heads. Checked against all that timm has
 * (scripts/fixtures/make-architecture-fixtures.py), because some compute something else with the tensors of a plain ViT.
 */

/** A size, patches, registers, mean pooling, an image size and whose weights they are: nothing else may be in a name. */
const PLAIN =
  /^(?:vit_[a-z0-9]+|deit3?_[a-z]+(?:_distilled)?)_patch\d+(?:_reg\d+)?(?:(?:_siglip)?_gap)?_\d+(?:_in21k|_in21ft1k|_dino|_miil|_miil_in21k)?$/;
const ALSO_PLAIN = /^(?:flexivit_(?:small|base|large)|eva_large_patch14_\d+|test_vit)$/;
/** Differential attention, and attention beside the MLP. */
const OTHER_BLOCKS = /^vit_(?:dwee|dpwee|pwee|dlittle)_/;
/** Architectures whose MLP has another activation than the exact GELU. */
const OTHER_ACTIVATIONS =
  /^vit_(?:base_patch32|so400m_patch16|giantopt_patch16)_siglip_gap_|^vit_large_patch16_siglip_gap_512$/;

/** Heads and width by the size in the name of a ViT or DeiT that has no more in its name than patches and image. */
const SIZES: Readonly<Record<string, readonly [heads: number, width: number]>> = {
  tiny: [3, 192],
  small: [6, 384],
  base: [12, 768],
  large: [16, 1024],
  huge: [16, 1280],
  giant: [16, 1408],
  gigantic: [16, 1664],
};
const SIZE_IN_NAME =
  /^(?:vit|deit)_(tiny|small|base|large|huge|giant|gigantic)(?:_distilled)?_patch\d+_\d+(?:_in21k|_dino|_miil|_miil_in21k)?$/;
/** Others, one by one: mean-pooled models have their own heads. */
const NAMED: Readonly<Record<string, readonly [heads: number, width: number]>> = {
  eva_large_patch14_196: [16, 1024],
  eva_large_patch14_336: [16, 1024],
  flexivit_base: [12, 768],
  flexivit_large: [16, 1024],
  flexivit_small: [6, 384],
  test_vit: [2, 64],
  vit_base_patch16_gap_224: [16, 768],
  vit_base_patch16_reg4_gap_256: [12, 768],
  vit_base_patch16_siglip_gap_224: [12, 768],
  vit_base_patch16_siglip_gap_256: [12, 768],
  vit_base_patch16_siglip_gap_384: [12, 768],
  vit_base_patch16_siglip_gap_512: [12, 768],
  vit_giant_patch16_gap_224: [16, 1408],
  vit_huge_patch14_gap_224: [16, 1280],
  vit_huge_patch16_gap_448: [16, 1280],
  vit_large_patch16_siglip_gap_256: [16, 1024],
  vit_large_patch16_siglip_gap_384: [16, 1024],
  vit_so150m_patch16_reg4_gap_256: [14, 896],
  vit_so150m_patch16_reg4_gap_384: [14, 896],
  vit_so400m_patch14_siglip_gap_224: [16, 1152],
  vit_so400m_patch14_siglip_gap_378: [16, 1152],
  vit_so400m_patch14_siglip_gap_384: [16, 1152],
  vit_so400m_patch14_siglip_gap_448: [16, 1152],
  vit_so400m_patch14_siglip_gap_896: [16, 1152],
};

/** The name without the tag of its weights: `vit_base_patch16_224` of `vit_base_patch16_224.augreg_in1k`. */
function untagged(architecture: string): string {
  return architecture.split('.', 1)[0] as string;
}

/** What is wrong with an architecture; undefined for a plain ViT, or one that its tensors give away if it is none. */
export function refusedArchitecture(architecture: string): string | undefined {
  const name = untagged(architecture);
  if (OTHER_ACTIVATIONS.test(name)) return 'models with the exact GELU';
  const isPlain = ALSO_PLAIN.test(name) || (PLAIN.test(name) && !OTHER_BLOCKS.test(name));
  return isPlain ? undefined : 'plain ViTs and DeiTs of timm';
}

/** Heads by the name, which are those of a model of that width only; undefined for a name that does not say. */
export function headsByName(architecture: string): { readonly heads: number; readonly width: number } | undefined {
  const name = untagged(architecture);
  const size = SIZE_IN_NAME.exec(name)?.[1];
  const found = size === undefined ? (Object.hasOwn(NAMED, name) ? NAMED[name] : undefined) : SIZES[size];
  return found && { heads: found[0], width: found[1] };
}
