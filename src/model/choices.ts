/** Names that users choose among, apart from what they stand for: help lists them without loading any package. */

/** Filters that images are resized with, by the names that timm and Pillow give them. */
export const INTERPOLATIONS = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type Interpolation = (typeof INTERPOLATIONS)[number];

/** How an image is brought to the size before the crop: in proportion until it covers it, or exactly to it. */
export const RESIZE_MODES = ['shortest', 'squash'] as const;
export type ResizeMode = (typeof RESIZE_MODES)[number];

/** Libraries whose way of resizing position embeddings there is. */
export const POSITION_FILTER_NAMES = ['timm', 'huggingface'] as const;
export type PositionFilter = (typeof POSITION_FILTER_NAMES)[number];
