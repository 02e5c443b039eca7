/** The `data:` block: where images come from and how they are prepared. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { INTERPOLATIONS, RESIZE_MODES } from '../base/resize-choices.js';
import { parseRandAugment } from './rand-augment.js';

const path = z.string().min(1);

/** Where the images of one split are; which keys count depends on the source. */
const splitSchema = z.strictObject({
  images: path
    .nullable()
    .default(null)
    .describe('idx: file of 8-bit images, rank 3; relative to the working directory'),
  labels: path.nullable().default(null).describe('idx: file of 8-bit labels, rank 1'),
  folder: path.nullable().default(null).describe('folder: one folder of image files for each class'),
  files: z
    .union([path, z.array(path).min(1)])
    .nullable()
    .default(null)
    .describe('cifar, webdataset, parquet: files; ranges as in {000..012} and * stand for several'),
});

/** What each source needs to know of a split. */
export const SPLIT_KEYS = {
  idx: ['images', 'labels'],
  folder: ['folder'],
  cifar: ['files'],
  webdataset: ['files'],
  parquet: ['files'],
} as const satisfies Record<string, readonly (keyof z.output<typeof splitSchema>)[]>;

const side = z.int().min(1).max(16_384);
const share = z.number().positive().max(1);
const range = (least: z.ZodNumber) => z.tuple([least, least]);

/** Random changes to training images; test images never change. */
const augmentSchema = z.strictObject({
  pad_crop: z.int().min(0).default(0).describe('pixels of black border added before a random crop; 0 = off'),
  flip: z.boolean().default(false).describe('mirror half of the images left to right'),
  random_resized_crop: z
    .strictObject({
      scale: range(share).default([0.08, 1]).describe("smallest and largest share of the image's area"),
      ratio: range(z.number().positive())
        .default([3 / 4, 4 / 3])
        .describe('smallest and largest width over height'),
    })
    .nullable()
    .default(null)
    .describe('train on random pieces, resized to the input; null = off'),
  interpolation: z
    .enum([...INTERPOLATIONS, 'random'])
    .nullable()
    .default(null)
    .describe('filter in training; random = bilinear or bicubic, drawn each time; null = resize.interpolation'),
  rand_augment: z
    .string()
    .superRefine((text, context) => {
      const why = refusal(() => parseRandAugment(text));
      if (why !== null) context.addIssue({ code: 'custom', message: why });
    })
    .nullable()
    .default(null)
    .describe('RandAugment, in the way that timm writes it: rand-m9-mstd0.5-inc1; null = off'),
  color_jitter: z
    .number()
    .min(0)
    .max(10)
    .default(0)
    .describe('strength of random brightness, contrast and saturation; 0 = off, as it is beside rand_augment'),
  erasing: z.number().min(0).max(1).default(0).describe('share of the images in which a rectangle is erased; 0 = off'),
  erasing_mode: z
    .enum(['pixel', 'const', 'rand'])
    .default('pixel')
    .describe('pixel = noise, rand = one random value per channel, const = the mean'),
  mixup: z.number().min(0).default(0).describe('mix pairs of images, with lambda from Beta(mixup, mixup); 0 = off'),
  cutmix: z.number().min(0).default(0).describe('paste boxes of other images, with lambda from Beta; 0 = off'),
  mixup_prob: z.number().min(0).max(1).default(1).describe('share of the batches that mixup or cutmix change'),
  mixup_switch: z.number().min(0).max(1).default(0.5).describe('share of cutmix among them, with both on'),
  repeats: z.int().min(1).max(16).default(1).describe('times that each sample of an epoch stands in it; 1 = off'),
});

/** What is wrong, as a message; null: nothing. */
function refusal(check: () => unknown): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
}

/** From an image of any size to the model's input, in evaluation. */
const resizeSchema = z.strictObject({
  mode: z.enum(RESIZE_MODES).default('shortest').describe('shortest keeps proportions, squash does not'),
  crop_pct: share.default(0.875).describe('side of the central crop over the side that images are resized to'),
  interpolation: z
    .enum(INTERPOLATIONS)
    .default('bicubic')
    .describe('filter; also in training, unless augment.interpolation says otherwise'),
});

/** Images that are drawn rather than read. */
const syntheticSchema = z.strictObject({
  image: z.int().min(4).max(1024).default(28).describe('height and width, pixels'),
  channels: z.int().min(1).max(16).default(1),
  classes: z.int().min(2).max(1000).default(10),
  train: z.int().min(1).default(2000).describe('images in the training split'),
  test: z.int().min(1).default(500).describe('images in the test split'),
  seed: z.int().default(0).describe('seed of the drawings, apart from the seed of the run'),
});

/** What of a file or sample is read, by source. */
const cifarSchema = z.strictObject({
  labels: z.enum(['fine', 'coarse']).default('fine').describe('which of the two labels of CIFAR-100'),
});
const webdatasetSchema = z.strictObject({
  image: path.nullable().default(null).describe('extension of the image of a sample; null = found by its name'),
  label: path.default('cls').describe('extension of a text with the number of the class, or json.FIELD'),
});
const parquetSchema = z.strictObject({
  image: path.nullable().default(null).describe('column of the images; null = found by type'),
  label: path.nullable().default(null).describe('column of the classes; null = found by type'),
});

/** Per channel, or one value for all channels. */
const perChannel = (description: string) => z.array(z.number()).min(1).describe(description);

/** The `data:` block of every command that reads images. */
export const dataSchema = z
  .strictObject({
    source: z.enum(['idx', 'synthetic', 'folder', 'cifar', 'webdataset', 'parquet']),
    train: splitSchema.nullable().default(null).describe('where the training split is'),
    test: splitSchema.nullable().default(null).describe('where the test split is'),
    image: z
      .union([side, z.tuple([side, side])])
      .nullable()
      .default(null)
      .describe("side, or [height, width], that images are brought to; null = the source's own, 224 for image files"),
    resize: resizeSchema.prefault({}),
    class_names: path
      .nullable()
      .default(null)
      .describe('text file with the name of one class per line; null = those of the source'),
    check_names: z.boolean().default(true).describe('whether names of classes must agree, besides their number'),
    on_broken: z.enum(['fail', 'skip']).default('fail').describe('what is done about an image that cannot be read'),
    classes: z.int().min(2).max(100_000).nullable().default(null).describe('checked against the labels'),
    channels: z.int().min(1).nullable().default(null).describe('repeat a one-channel source to this many'),
    mean: perChannel('subtracted from pixels in 0..1').default([0.5]),
    std: z.array(z.number().positive()).min(1).default([0.5]).describe('then divided by'),
    augment: augmentSchema.prefault({}),
    limit: z.int().min(1).nullable().default(null).describe('training images in use, equally many per class'),
    fraction: z.number().positive().max(1).nullable().default(null).describe('share of every class in use'),
    workers: z.int().min(0).max(64).default(1).describe('loader threads; 0 = the calling thread'),
    shuffle_window: z
      .int()
      .min(1)
      .max(65_536)
      .default(16)
      .describe('parquet: row groups whose images are shuffled among each other'),
    cifar: cifarSchema.prefault({}),
    webdataset: webdatasetSchema.prefault({}),
    parquet: parquetSchema.prefault({}),
    synthetic: syntheticSchema.prefault({}),
  })
  .superRefine((data, context) => {
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (data.limit !== null && data.fraction !== null) {
      refuse('fraction', `give limit or fraction, not both; found limit ${data.limit} and fraction ${data.fraction}`);
    }
    if (data.mean.length !== data.std.length && data.mean.length !== 1 && data.std.length !== 1) {
      refuse(
        'std',
        `mean has ${data.mean.length} values and std ${data.std.length}; give one per channel, or one for all`,
      );
    }
    if (data.augment.rand_augment !== null && (data.augment.interpolation ?? data.resize.interpolation) === 'lanczos') {
      refuse('augment', 'rand_augment cannot turn images with lanczos; set augment.interpolation to bicubic');
    }
    for (const which of ['train', 'test'] as const) checkSplit(data, which, refuse);
    if (data.source === 'idx') {
      if (data.classes === null) refuse('classes', 'source idx needs the number of classes');
    } else if (data.source === 'webdataset') {
      if (data.classes === null && data.class_names === null) {
        refuse('classes', 'source webdataset needs the number of classes, or their class_names');
      }
    } else if (data.source === 'synthetic' && data.classes !== null && data.classes !== data.synthetic.classes) {
      refuse(
        'classes',
        `must equal synthetic.classes (${data.synthetic.classes}) or be left out, found ${data.classes}`,
      );
    }
  });

type Refuse = (path: string, message: string) => void;

/** A split must have the keys of its source; those of others may stay, so that `--set data.source` switches a file over. */
function checkSplit(
  { source, train, test }: { source: string; train: Split | null; test: Split | null },
  which: 'train' | 'test',
  refuse: Refuse,
): void {
  if (source === 'synthetic') return;
  if (train === null && test === null && which === 'train') refuse('source', `source ${source} needs train: or test:`);
  const split = which === 'train' ? train : test;
  if (split === null) return;
  for (const key of SPLIT_KEYS[source as keyof typeof SPLIT_KEYS]) {
    if (split[key] === null) refuse(which, `source ${source} needs ${which}.${key}`);
  }
}

type Split = z.output<typeof splitSchema>;

/** The checked `data:` block. */
export type DataConfig = z.output<typeof dataSchema>;
