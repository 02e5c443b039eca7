/**
 * Recognises files that people give in place of a safetensors or an ONNX file, so that the message says what the file is
 * instead of "header too large". Asked only after the format check has failed, so a valid file is never mistaken.
 */
import type { CheckpointErrorCode } from './errors.js';

/** Bytes from the start of a file that are enough to recognise it. */
export const SNIFF_BYTES = 512;

/** What the file seems to be and what to do about it. */
export interface ForeignFormat {
  readonly code: CheckpointErrorCode;
  readonly problem: string;
}

interface Signature {
  readonly code: CheckpointErrorCode;
  /** What the file is. */
  readonly what: string;
  /** What to do, by the format that is wanted; one text where it is no model of any format. */
  readonly remedy: string | { readonly [wanted in WantedFormat]?: string };
  matches(head: Buffer, text: string): boolean;
}

/** The formats of models that are read. */
export type WantedFormat = 'safetensors' | 'onnx';

const FORMAT_NAMES = { safetensors: 'safetensors', onnx: 'ONNX' } as const;

function bytes(...prefix: number[]): (head: Buffer) => boolean {
  const wanted = Buffer.from(prefix);
  return (head) => head.subarray(0, wanted.length).equals(wanted);
}

/** How a pickle of PyTorch becomes a safetensors file. */
export const PICKLE_RECIPE =
  'convert it where PyTorch is at hand: safetensors.torch.save_file(torch.load(FILE, weights_only=True), "model.safetensors"), ' +
  'with ["model"] or ["state_dict"] after torch.load(...) where the weights stand under such a key';
const PICKLE_REMEDY = {
  safetensors: PICKLE_RECIPE,
  onnx: 'export the model where PyTorch is at hand: torch.onnx.export',
} as const;
export const GET_SAFETENSORS = 'get the safetensors version of the model';
/** Where an ONNX model will do. */
export const ONNX_USES =
  '(a classifier in a file that ends in .onnx can be an ancestor of distill and fit, or be measured by eval)';
const GET_ONNX = 'get the ONNX version of the model';

/** First bytes of the fields of an ONNX model that may follow the version of the format. */
const ONNX_FIELDS = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];

const SIGNATURES: readonly Signature[] = [
  {
    code: 'GitLfsPointer',
    what: 'is a Git LFS pointer, not the weights',
    remedy: 'run `git lfs pull` in its repository or download the file itself',
    matches: (_, text) => text.startsWith('version https://git-lfs.github.com/spec/'),
  },
  {
    code: 'PickleFile',
    what: "is a zip archive, as PyTorch's .bin, .pt and .pth files are",
    remedy: PICKLE_REMEDY,
    matches: bytes(0x50, 0x4b, 0x03, 0x04),
  },
  {
    code: 'PickleFile',
    what: 'is a Python pickle, as old PyTorch .bin and .pth files are',
    remedy: PICKLE_REMEDY,
    // Protocol 2 to 5, then a frame, a long integer (PyTorch's magic number), an empty dict, or a global.
    matches: (head) => head[0] === 0x80 && head[1] >= 2 && head[1] <= 5 && [0x95, 0x8a, 0x7d, 0x63].includes(head[2]),
  },
  {
    code: 'HtmlPage',
    what: 'is an HTML page, not a model',
    remedy: 'the download gave a web page (log-in or error): fetch the file itself',
    matches: (_, text) => /^\s*<(?:!doctype html|html)/i.test(text),
  },
  {
    code: 'OtherFormat',
    what: 'is an XML document, not a model',
    remedy: 'the download gave an error message: open the file to read it',
    matches: (_, text) => /^\s*<\?xml/.test(text),
  },
  {
    code: 'OtherFormat',
    what: 'is a JSON text',
    remedy: {
      safetensors: 'an index of shards must be named NAME.safetensors.index.json',
      onnx: 'name the model itself',
    },
    matches: (_, text) => /^\s*\{\s*["}]/.test(text),
  },
  {
    code: 'OtherFormat',
    what: 'is a gzip archive',
    remedy: { safetensors: 'unpack it first', onnx: 'unpack it first' },
    matches: bytes(0x1f, 0x8b),
  },
  {
    code: 'OtherFormat',
    what: 'is a GGUF file',
    remedy: { safetensors: GET_SAFETENSORS, onnx: GET_ONNX },
    matches: (_, text) => text.startsWith('GGUF'),
  },
  {
    code: 'OtherFormat',
    what: 'is an HDF5 file (as Keras .h5 files are)',
    remedy: { safetensors: GET_SAFETENSORS, onnx: GET_ONNX },
    matches: bytes(0x89, 0x48, 0x44, 0x46),
  },
  {
    code: 'OtherFormat',
    what: 'is a NumPy .npy file',
    remedy: { safetensors: 'convert it with safetensors.numpy.save_file', onnx: GET_ONNX },
    matches: bytes(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59),
  },
  {
    code: 'OtherFormat',
    what: 'is a safetensors file',
    remedy: { onnx: 'rename it to end in .safetensors' },
    // The length of the header, then its JSON.
    matches: (head, text) => head.length > 9 && head.readUInt32LE(4) === 0 && text[8] === '{',
  },
  {
    code: 'OtherFormat',
    what: 'is an ONNX model',
    remedy: {
      safetensors: `its weights cannot be taken over: ${GET_SAFETENSORS} ${ONNX_USES}`,
    },
    // The version of the format, then any other field of the model.
    matches: (head) => head[0] === 0x08 && head[1] >= 1 && head[1] < 32 && ONNX_FIELDS.includes(head[2]),
  },
];

/**
 * Names the format of a file that is not of the wanted one.
 * @param head The first bytes of the file, up to {@link SNIFF_BYTES}.
 */
export function recogniseForeign(head: Uint8Array, wanted: WantedFormat = 'safetensors'): ForeignFormat | undefined {
  const buffer = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFF_BYTES));
  const text = buffer.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
  const found = SIGNATURES.find((signature) => signature.matches(buffer, text));
  if (found === undefined) return undefined;
  const { code, what, remedy } = found;
  if (typeof remedy === 'string') return { code, problem: `${what}; ${remedy}` };
  const own = remedy[wanted];
  return own === undefined ? undefined : { code, problem: `${what}, not ${FORMAT_NAMES[wanted]}; ${own}` };
}
