/** Names of the ways to resize images, apart from the code that does it: configurations and help list them. */

/** Filters that images are resized with, by the names that timm and Pillow give them. */
export const INTERPOLATIONS = ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const;
export type Interpolation = (typeof INTERPOLATIONS)[number];

/** How an image is brought to the size before the crop: in proportion until it covers it, or exactly to it. */
export const RESIZE_MODES = ['shortest', 'squash'] as const;
export type ResizeMode = (typeof RESIZE_MODES)[number];
