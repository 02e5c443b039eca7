/** Hugging Face's `preprocessor_config.json`: how images become pixel values. */
import { z } from 'zod';
import { ModelError } from '../../base/errors.js';
import { MOST } from '../limits.js';
import type { Preprocess } from '../spec.js';
import { checkFields } from './json-file.js';

const side = z.int().positive();
const size = z.union([side, z.looseObject({ height: side, width: side }), z.looseObject({ shortest_edge: side })]);
const schema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  do_center_crop: z.boolean().optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  do_normalize: z.boolean().default(true),
  image_mean: z.union([z.number(), z.array(z.number())]).optional(),
  image_std: z.union([z.number().positive(), z.array(z.number().positive())]).optional(),
  size: size.nullish(),
  crop_size: size.nullish(),
  resample: z.int().min(0).max(5).nullish(),
});
type Size = z.output<typeof size>;

/** Pillow's filters by number; box and Hamming have no counterpart here. */
export const RESAMPLE = ['nearest', 'lanczos', 'bilinear', 'bicubic'] as const;
/** 1/255 as it is written in these files. */
const FACTOR_TOLERANCE = 1e-6;

/** What the file says, and what of it was left aside. */
export interface ReadPreprocess {
  readonly preprocess: Preprocess;
  readonly notes: readonly string[];
}

/**
 * @param image height and width of the model's input: what is resized and cropped to another size is left aside
 * @throws ModelError naming the field that is wrong, or that cannot be followed.
 */
export function readPreprocessorConfig(
  config: Readonly<Record<string, unknown>>,
  path: string,
  { image, channels }: { readonly image: readonly [number, number]; readonly channels: number },
): ReadPreprocess {
  const fields = checkFields(schema, config, path);
  checkSizes(fields, path);
  if (!fields.do_rescale || Math.abs(fields.rescale_factor * 255 - 1) > FACTOR_TOLERANCE) {
    const found = fields.do_rescale ? `rescale_factor ${fields.rescale_factor}` : 'do_rescale false';
    throw new ModelError(`${path}: pixel values must be divided by 255 (rescale_factor 1/255), found ${found}`);
  }
  const perChannel = (name: string, value: number | readonly number[] | undefined, unused: number): number[] => {
    if (!fields.do_normalize) return Array.from({ length: channels }, () => unused);
    const values = typeof value === 'number' ? [value] : value;
    if (values === undefined) throw new ModelError(`${path}: ${name} is missing; add it, or set do_normalize to false`);
    if (values.length === channels) return [...values];
    if (values.length === 1) return Array.from({ length: channels }, () => values[0] as number);
    throw new ModelError(
      `${path}: ${name} has ${values.length} values, the model ${channels} channels; correct the file`,
    );
  };
  const mean = perChannel('image_mean', fields.image_mean, 0);
  const std = perChannel('image_std', fields.image_std, 1);
  const interpolation = typeof fields.resample === 'number' ? RESAMPLE[fields.resample] : defaultFilter(fields);
  const resized = resizeOf(fields, image);
  const notes: string[] = [];
  if (resized === undefined) notes.push(`${path}: its sizes do not lead to ${image.join('x')}; left aside`);
  if (typeof fields.resample === 'number' && interpolation === undefined) {
    notes.push(`${path}: resample ${fields.resample} has no counterpart; bicubic is used`);
  }
  return { preprocess: { mean, std, ...(interpolation && { interpolation }), ...resized }, notes };
}

/** The filter of a file that does not say: that of the class which it is for. */
function defaultFilter({ image_processor_type, feature_extractor_type }: z.output<typeof schema>) {
  return /^DeiT/.test(image_processor_type ?? feature_extractor_type ?? '') ? 'bicubic' : 'bilinear';
}

/** @throws ModelError for sizes that no model's images have. */
function checkSizes({ size, crop_size }: z.output<typeof schema>, path: string): void {
  for (const [name, value] of Object.entries({ size, crop_size })) {
    const sides = typeof value === 'number' ? [value] : [value?.height, value?.width, value?.shortest_edge];
    const largest = Math.max(...sides.filter((side) => typeof side === 'number'));
    if (largest > MOST.image) {
      throw new ModelError(
        `${path}: ${name} is ${largest} pixels, images may have at most ${MOST.image} a side; correct the file`,
      );
    }
  }
}

type Resize = Pick<Preprocess, 'resize' | 'resize_mode'>;

/** Undefined when the file's way does not end at the model's input. */
function resizeOf(
  { do_resize, do_center_crop, size, crop_size }: z.output<typeof schema>,
  [height, width]: readonly [number, number],
): Resize | undefined {
  const crops = do_center_crop ?? (crop_size !== undefined && crop_size !== null);
  const target = crops && crop_size ? exact(crop_size) : undefined;
  if (crops && (target === undefined || target[0] !== height || target[1] !== width)) return undefined;
  if (!do_resize || size === undefined || size === null) return {};
  if (typeof size === 'object' && 'shortest_edge' in size) {
    const edge = size.shortest_edge as number;
    return crops ? { resize: [edge, edge], resize_mode: 'shortest' } : undefined;
  }
  const [tall, wide] = exact(size) as [number, number];
  if (!crops && (tall !== height || wide !== width)) return undefined;
  return { resize: [tall, wide], resize_mode: 'squash' };
}

function exact(size: Size): [number, number] | undefined {
  if (typeof size === 'number') return [size, size];
  return 'height' in size ? [size.height as number, size.width as number] : undefined;
}
