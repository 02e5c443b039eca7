/** `preprocessor_config.json`: the image processor of transformers that does what a model's preprocessing says. */
import { ModelError } from '../../base/errors.js';
import { RESAMPLE } from '../formats/preprocessor-config.js';
import type { ModelSpec } from '../spec.js';
import { fullPreprocess } from './preprocessing.js';

/**
 * @param source what to call the model in errors
 * @throws ModelError when no image processor of transformers does that, or the model does not say how images are
 * normalised.
 */
export function imageProcessor(spec: ModelSpec, source: string): object {
  const preprocess = fullPreprocess(spec);
  if (preprocess === undefined) throw new ModelError(`${source}: does not say how its images are normalised`);
  const { mean, std, resize, resize_mode, interpolation } = preprocess;
  const [height, width] = spec.image;
  const crops = resize[0] !== height || resize[1] !== width;
  const exact = ([tall, wide]: readonly [number, number]) => ({ height: tall, width: wide });
  const crop = { do_center_crop: true, crop_size: exact(spec.image) };
  const common = {
    do_resize: true,
    resample: RESAMPLE.indexOf(interpolation),
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: std,
  };
  if (resize_mode === 'squash') {
    return crops
      ? { image_processor_type: 'DeiTImageProcessor', ...common, size: exact(resize), ...crop }
      : { image_processor_type: 'ViTImageProcessor', ...common, size: exact(resize) };
  }
  if (resize[0] !== resize[1]) {
    throw new ModelError(
      `${source}: images are resized to cover ${resize.join('x')}, which no image processor of transformers does; ` +
        'use --format timm, or say --resize-mode squash',
    );
  }
  // The processor of CLIP is the plain one that keeps proportions; others add a margin of their own.
  return {
    image_processor_type: 'CLIPImageProcessor',
    do_convert_rgb: spec.channels === 3,
    ...common,
    size: { shortest_edge: resize[0] },
    ...crop,
  };
}
