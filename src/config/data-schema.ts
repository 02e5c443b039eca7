/** The `data:` block: where images come from and how they are prepared. */
import { z } from 'zod';

/** Image and label file of one split; both IDX, plain or gzip. */
const idxFilesSchema = z.strictObject({
  images: z.string().min(1).describe('IDX file of 8-bit images, rank 3; relative to the working directory'),
  labels: z.string().min(1).describe('IDX file of 8-bit labels, rank 1'),
});

/** Random changes to training images; test images never change. */
const augmentSchema = z.strictObject({
  pad_crop: z.int().min(0).default(0).describe('pixels of black border added before a random crop; 0 = off'),
  flip: z.boolean().default(false).describe('mirror half of the images left to right'),
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

/** Per channel, or one value for all channels. */
const perChannel = (description: string) => z.array(z.number()).min(1).describe(description);

/** The `data:` block of every command that reads images. */
export const dataSchema = z
  .strictObject({
    source: z.enum(['idx', 'synthetic']),
    train: idxFilesSchema.nullable().default(null).describe('files of the training split (source: idx)'),
    test: idxFilesSchema.nullable().default(null).describe('files of the test split (source: idx)'),
    classes: z.int().min(2).max(100_000).nullable().default(null).describe('checked against the labels'),
    channels: z.int().min(1).nullable().default(null).describe('repeat a one-channel source to this many'),
    mean: perChannel('subtracted from pixels in 0..1').default([0.5]),
    std: z.array(z.number().positive()).min(1).default([0.5]).describe('then divided by'),
    augment: augmentSchema.prefault({}),
    limit: z.int().min(1).nullable().default(null).describe('training images in use, equally many per class'),
    fraction: z.number().positive().max(1).nullable().default(null).describe('share of every class in use'),
    workers: z.int().min(0).max(64).default(1).describe('loader threads; 0 = the calling thread'),
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
    if (data.source === 'idx') {
      if (data.train === null && data.test === null) refuse('source', 'source idx needs train: or test: files');
      if (data.classes === null) refuse('classes', 'source idx needs the number of classes');
    } else if (data.classes !== null && data.classes !== data.synthetic.classes) {
      refuse(
        'classes',
        `must equal synthetic.classes (${data.synthetic.classes}) or be left out, found ${data.classes}`,
      );
    }
  });

/** The checked `data:` block. */
export type DataConfig = z.output<typeof dataSchema>;
