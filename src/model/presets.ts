/** Sizes that have a name. DeiT: Touvron et al. 2021, table 1. The others are ours, for 28x28 and 32x32 images. */

/** What a preset fixes; everything can be overridden. `channels` says what it is meant for: the data decides. */
export interface Preset {
  readonly image: number;
  readonly patch: number;
  readonly channels: number;
  readonly depth: number;
  readonly width: number;
  readonly heads: number;
}

export const PRESETS = {
  'deit-tiny': { image: 224, patch: 16, channels: 3, depth: 12, width: 192, heads: 3 },
  'deit-small': { image: 224, patch: 16, channels: 3, depth: 12, width: 384, heads: 6 },
  'deit-base': { image: 224, patch: 16, channels: 3, depth: 12, width: 768, heads: 12 },
  'vit-28-micro': { image: 28, patch: 7, channels: 1, depth: 6, width: 64, heads: 2 },
  'vit-28-mini': { image: 28, patch: 4, channels: 1, depth: 6, width: 128, heads: 4 },
  'vit-32-micro': { image: 32, patch: 4, channels: 3, depth: 6, width: 64, heads: 2 },
  'vit-32-mini': { image: 32, patch: 4, channels: 3, depth: 6, width: 192, heads: 3 },
} as const satisfies Record<string, Preset>;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as [PresetName, ...PresetName[]];
