/** Checkpoints: a strict safetensors reader and writer, and the suite's artifacts built on them. */

export { sha256File } from '../base/sha256.js';
export {
  ARTIFACT_KINDS,
  type Artifact,
  type ArtifactInfo,
  type ArtifactKind,
  artifactMetadata,
  expectKind,
  readArtifactInfo,
  writeArtifact,
} from './artifact.js';
export { anyArtifactFile, artifactFile } from './artifact-file.js';
export { DTYPES, type Dtype, dtypeBits, isDtype } from './dtypes.js';
export { CheckpointError, type CheckpointErrorCode, type FormatErrorCode, type OwnErrorCode } from './errors.js';
export { roundToBf16, roundToF16 } from './half.js';
export type { TensorInfo } from './header.js';
export { type Lineage, type LineageFacts, type LineageParent, makeLineage } from './lineage.js';
export { INDEX_FILE, MODEL_FILE } from './model-file.js';
export type { NumberArray } from './numbers.js';
export { openSafetensors, parseSafetensors } from './open.js';
export type { SafetensorsReader } from './reader.js';
export type { DimensionSlice } from './slice.js';
export type { MemoryTensor, TensorData, TensorInput } from './tensor-input.js';
export { type Named, serializeSafetensors, writeSafetensors } from './writer.js';
