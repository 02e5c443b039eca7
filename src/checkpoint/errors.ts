/** The error of this layer: one class with a stable code, so that callers decide by code and never by message. */
import { WaveError } from '../base/errors.js';
import { printable } from '../base/text.js';

/** Codes of the reference implementation's error variants, for the same causes. */
export type FormatErrorCode =
  /** Fewer than 8 bytes. */
  | 'HeaderTooSmall'
  /** The header length is above 100,000,000 bytes. */
  | 'HeaderTooLarge'
  /** The header would end after the file. */
  | 'InvalidHeaderLength'
  /** The header is not UTF-8. */
  | 'InvalidHeader'
  /** The header is not the JSON that the format asks for. */
  | 'InvalidHeaderDeserialization'
  /** A tensor leaves a gap, overlaps another one or has reversed offsets. */
  | 'InvalidOffset'
  /** Shape times element size does not fit 64 bits. */
  | 'ValidationOverflow'
  /** A tensor or slice of a sub-byte dtype does not end on a byte. */
  | 'MisalignedSlice'
  /** Shape and dtype do not give the number of bytes that is there. */
  | 'TensorInvalidInfo'
  /** The tensors end before or after the file does. */
  | 'MetadataIncompleteBuffer'
  | 'TensorNotFound'
  | 'TooManySlices'
  | 'SliceOutOfRange';

/** Codes for what the reference implementation accepts, leaves to the caller or does not know. */
export type OwnErrorCode =
  /** A name occurs twice in one JSON object, or twice among the tensors to write. */
  | 'DuplicateKey'
  /** A number, nesting or count above a cap of this module. */
  | 'LimitExceeded'
  | 'GitLfsPointer'
  /** A PyTorch pickle or zip archive. */
  | 'PickleFile'
  | 'HtmlPage'
  /** Another format that was recognised. */
  | 'OtherFormat'
  | 'FileNotFound'
  /** A folder that holds no model under a name that is looked for. */
  | 'NoModelInFolder'
  /** The operating system refused to read or write. */
  | 'IoError'
  /** The file became shorter while it was open. */
  | 'FileChanged'
  /** The reader was closed. */
  | 'Closed'
  /** The dtype has no conversion to the numbers asked for. */
  | 'UnsupportedDtype'
  /** The tensor is larger than one buffer of this JavaScript engine. */
  | 'TensorTooLarge'
  /** `model.safetensors.index.json` is not an index, or names files outside its folder. */
  | 'InvalidIndex'
  | 'ShardMissing'
  /** A shard and its index disagree about the tensors. */
  | 'ShardMismatch'
  /** A tensor or metadata that cannot be written. */
  | 'InvalidTensor'
  /** Metadata under `wave.` that this version does not understand. */
  | 'InvalidArtifact'
  /** An artifact of another kind than asked for. */
  | 'WrongKind'
  /** Not an ONNX model, or a damaged one. */
  | 'InvalidOnnx'
  /** An ONNX model with an operator set, operator or type that cannot be run. */
  | 'UnsupportedOnnx'
  /** An ONNX model without the files that hold its weights. */
  | 'ExternalDataMissing';

export type CheckpointErrorCode = FormatErrorCode | OwnErrorCode;

/** A checkpoint that cannot be read, written or used for its purpose. The message begins with its path. */
export class CheckpointError extends WaveError {
  /** What went wrong, stable across versions. */
  readonly code: CheckpointErrorCode;
  /** Path of the file or name of the buffer. */
  readonly source: string;

  constructor(code: CheckpointErrorCode, source: string, problem: string, options?: ErrorOptions) {
    super(`${printable(source)}: ${problem}`, 1, options);
    this.code = code;
    this.source = source;
  }
}
