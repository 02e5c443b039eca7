/**
 * Recognises files that people give in place of a safetensors file, so that the message says what the file is instead
 * of "header too large". Asked only after the format check has failed, so a valid file is never mistaken.
 */
import type { CheckpointErrorCode } from './errors.js';

/** Bytes from the start of a file that are enough to recognise it. */
export const SNIFF_BYTES = 512;

/** What the file seems to be and what to do about it. */
export interface ForeignFormat {
  readonly code: CheckpointErrorCode;
  readonly problem: string;
}

interface Signature extends ForeignFormat {
  matches(head: Buffer, text: string): boolean;
}

function bytes(...prefix: number[]): (head: Buffer) => boolean {
  const wanted = Buffer.from(prefix);
  return (head) => head.subarray(0, wanted.length).equals(wanted);
}

const CONVERT_PICKLE =
  'convert it where PyTorch is at hand: safetensors.torch.save_file(torch.load(FILE, weights_only=True), "model.safetensors")';

const SIGNATURES: readonly Signature[] = [
  {
    code: 'GitLfsPointer',
    problem: 'is a Git LFS pointer, not the weights; run `git lfs pull` in its repository or download the file itself',
    matches: (_, text) => text.startsWith('version https://git-lfs.github.com/spec/'),
  },
  {
    code: 'PickleFile',
    problem: `is a zip archive, as PyTorch's .bin, .pt and .pth files are, not safetensors; ${CONVERT_PICKLE}`,
    matches: bytes(0x50, 0x4b, 0x03, 0x04),
  },
  {
    code: 'PickleFile',
    problem: `is a Python pickle, as old PyTorch .bin and .pth files are, not safetensors; ${CONVERT_PICKLE}`,
    // Protocol 2 to 5, then a frame, a long integer (PyTorch's magic number), an empty dict, or a global.
    matches: (head) => head[0] === 0x80 && head[1] >= 2 && head[1] <= 5 && [0x95, 0x8a, 0x7d, 0x63].includes(head[2]),
  },
  {
    code: 'HtmlPage',
    problem: 'is an HTML page, not a model; the download gave a web page (log-in or error): fetch the file itself',
    matches: (_, text) => /^\s*<(?:!doctype html|html)/i.test(text),
  },
  {
    code: 'OtherFormat',
    problem: 'is an XML document, not a model; the download gave an error message: open the file to read it',
    matches: (_, text) => /^\s*<\?xml/.test(text),
  },
  {
    code: 'OtherFormat',
    problem: 'is a JSON text, not safetensors; an index of shards must be named NAME.safetensors.index.json',
    matches: (_, text) => /^\s*\{\s*["}]/.test(text),
  },
  {
    code: 'OtherFormat',
    problem: 'is a gzip archive, not safetensors; unpack it first',
    matches: bytes(0x1f, 0x8b),
  },
  {
    code: 'OtherFormat',
    problem: 'is a GGUF file, not safetensors; get the safetensors version of the model',
    matches: (_, text) => text.startsWith('GGUF'),
  },
  {
    code: 'OtherFormat',
    problem: 'is an HDF5 file (as Keras .h5 files are), not safetensors; get the safetensors version of the model',
    matches: bytes(0x89, 0x48, 0x44, 0x46),
  },
  {
    code: 'OtherFormat',
    problem: 'is a NumPy .npy file, not safetensors; convert it with safetensors.numpy.save_file',
    matches: bytes(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59),
  },
];

/**
 * Names the format of a file that is not safetensors.
 * @param head The first bytes of the file, up to {@link SNIFF_BYTES}.
 */
export function recogniseForeign(head: Uint8Array): ForeignFormat | undefined {
  const buffer = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFF_BYTES));
  const text = buffer.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '');
  return SIGNATURES.find((signature) => signature.matches(buffer, text));
}
