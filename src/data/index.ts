/** Data: sources, subsets, transforms, the patch layout, and the loader that feeds training and evaluation. */
export type { ImageChanges } from './augment/changes.js';
export type { Erasing } from './augment/erasing.js';
export type { RandAugment } from './augment/rand-augment.js';
export { openCifar } from './cifar.js';
export { type ClassNames, checkSameNames, firstDifference, type NamedClasses } from './class-names.js';
export { type Dataset, sampleSha256 } from './dataset.js';
export { openFolder } from './folder.js';
export type { EvalFraming, RandomResizedCrop, TrainInterpolation } from './framing.js';
export { type IdxFiles, openIdx } from './idx.js';
export { listSplit } from './listing.js';
export { type Batch, Loader, type LoaderOptions, type UnreadableImage } from './loader.js';
export { drawMix, type Mix, type MixSettings, mixPatches } from './mix.js';
export { openData } from './open.js';
export { epochOrder, type SampleBlocks } from './order.js';
export { openParquet, type ParquetOptions } from './parquet.js';
export { checkPatchShape, type PatchShape, patchCount, patchDim, patchify, unpatchify } from './patches.js';
export {
  allocatePixels,
  type ImageSource,
  type Labels,
  memorySource,
  type RasterSource,
  type RecordSource,
} from './source.js';
export { balancedSubset, type SubsetOptions } from './subset.js';
export { type SyntheticOptions, syntheticSource } from './synthetic.js';
export { type Augment, type Draw, drawAugment, drawKey, isRandom, normaliseTable, UNCHANGED } from './transforms.js';
export { openWebDataset, type WebDatasetOptions } from './webdataset.js';
