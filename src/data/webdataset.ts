/** WebDataset: tar archives whose members of one name, up to the first dot, are the parts of one sample. */
import { DataError } from '../base/errors.js';
import { printable, quote } from '../base/text.js';
import { IMAGE_EXTENSIONS } from './folder.js';
import { packText } from './packed-text.js';
import { type LeftOut, nothingLeft, type RecordSource } from './source.js';
import { openTar, type TarMember, type TarReader } from './tar.js';

export interface WebDatasetOptions {
  /** Extension of the image of a sample, without its dot; null: the only one that is one of image files. */
  readonly image: string | null;
  /** Extension of a text with the number of the class; or `json.FIELD`: that field of the member `.json`. */
  readonly label: string;
  readonly classes: number;
  /** What is done about a sample without image or label. */
  readonly onBroken: 'fail' | 'skip';
  /** Channels of a prepared image. */
  readonly channels: number;
}

/** Archives that are listed at a time. */
const AT_A_TIME = 8;
/** Longest text of a label, bytes; a JSON member may hold more than the label. */
const MOST_LABEL = 2 ** 20;

/** A sample that can be used. */
interface Sample {
  /** Path of the image in the archive. */
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly label: number;
}

/**
 * Lists the archives in one pass over their headers; images stay where they are. Samples keep the order of files and
 * archives.
 *
 * @throws {DataError} one line, for an archive that cannot be read, is compressed, truncated or leads out of itself; for
 * a sample without an image or a label below `classes`, unless those are skipped; when no sample is left.
 */
export async function openWebDataset(files: readonly string[], options: WebDatasetOptions): Promise<RecordSource> {
  const listed: Listed[] = [];
  for (let first = 0; first < files.length; first += AT_A_TIME) {
    listed.push(
      ...(await Promise.all(files.slice(first, first + AT_A_TIME).map((file) => listArchive(file, options)))),
    );
  }
  const count = listed.reduce((sum, { samples }) => sum + samples.length, 0);
  const leftOut = listed.flatMap((one) => one.leftOut);
  const name = files.length === 1 ? files[0] : `${files[0]} and ${files.length - 1} more`;
  if (count === 0) {
    if (leftOut.length > 0) throw nothingLeft(name, 'sample that can be used', leftOut, 'data.webdataset');
    throw nothingLeft(name, 'sample; a sample is an image and its label', [], '');
  }
  const file = new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT));
  const lengths = new Uint32Array(new SharedArrayBuffer(count * Uint32Array.BYTES_PER_ELEMENT));
  const offsets = new Float64Array(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
  const labels = new Int32Array(count);
  const names: string[] = [];
  let at = 0;
  for (const [position, { samples }] of listed.entries()) {
    for (const sample of samples) {
      file[at] = position;
      offsets[at] = sample.offset;
      // What is too long is refused when it is read; here it only has to stay a number of 32 bits.
      lengths[at] = Math.min(sample.size, 2 ** 32 - 1);
      labels[at] = sample.label;
      names.push(sample.name);
      at++;
    }
  }
  return {
    kind: 'records',
    name,
    count,
    classes: options.classes,
    labels,
    channels: options.channels,
    records: { kind: 'ranges', files, file, offsets, lengths, names: packText(names) },
    bytesOf: (index) => lengths[index],
    ...(leftOut.length > 0 ? { leftOut } : {}),
  };
}

interface Listed {
  readonly samples: readonly Sample[];
  readonly leftOut: readonly LeftOut[];
}

/** The parts of a sample that count. */
interface Parts {
  readonly images: Map<string, TarMember>;
  /** What stands in the member of the label; undefined when there is none. */
  label?: string;
}

async function listArchive(path: string, options: WebDatasetOptions): Promise<Listed> {
  const tar = await openTar(path);
  try {
    const samples: Sample[] = [];
    const leftOut: LeftOut[] = [];
    for (const [key, parts] of await partsOf(tar, options)) {
      const found = sampleOf(parts, options);
      if (typeof found !== 'string') {
        samples.push(found);
        continue;
      }
      const name = `${path}: ${key}`;
      if (options.onBroken === 'fail') {
        throw new DataError(`${printable(name)}: ${found}; repair the archive, or set data.on_broken to skip`);
      }
      leftOut.push({ name, reason: found });
    }
    return { samples, leftOut };
  } finally {
    await tar.close();
  }
}

/** By key: the path up to the first dot of the name. Members of a sample need not be neighbours. */
async function partsOf(tar: TarReader, options: WebDatasetOptions): Promise<Map<string, Parts>> {
  const labelExtension = options.label.startsWith('json.') ? 'json' : options.label.toLowerCase();
  const samples = new Map<string, Parts>();
  for await (const member of tar.members()) {
    const base = member.name.lastIndexOf('/') + 1;
    const dot = member.name.indexOf('.', base);
    // Names that begin with a dot are notes of the system that packed the archive.
    if (dot <= base) continue;
    const key = member.name.slice(0, dot);
    const extension = member.name.slice(dot + 1).toLowerCase();
    const parts: Parts = samples.get(key) ?? { images: new Map() };
    samples.set(key, parts);
    const twice = () => {
      throw new DataError(`${printable(tar.path)}: ${quote(member.name)} is there twice; pack the archive again`);
    };
    if (isImage(extension, options)) {
      if (parts.images.has(extension)) twice();
      parts.images.set(extension, member);
    } else if (extension === labelExtension) {
      if (parts.label !== undefined) twice();
      parts.label = Buffer.from(await tar.content(member, MOST_LABEL)).toString('utf8');
    }
  }
  return samples;
}

function isImage(extension: string, { image }: WebDatasetOptions): boolean {
  if (image !== null) return extension === image.toLowerCase().replace(/^\./, '');
  return IMAGE_EXTENSIONS.has(`.${extension.slice(extension.lastIndexOf('.') + 1)}`);
}

/** A sample, or why it is none. */
function sampleOf({ images, label: text }: Parts, options: WebDatasetOptions): Sample | string {
  if (images.size > 1)
    return `has several images (${[...images.keys()].join(', ')}); choose one by data.webdataset.image`;
  const [image] = images.values();
  if (!image) return options.image === null ? 'has no image' : `has no member .${options.image}`;
  if (text === undefined)
    return `has no label: no member .${options.label.startsWith('json.') ? 'json' : options.label}`;
  const label = labelIn(text, options);
  return typeof label === 'string' ? label : { name: image.name, offset: image.offset, size: image.size, label };
}

/** The number of the class, or why there is none. */
function labelIn(text: string, { label, classes }: WebDatasetOptions): number | string {
  let found: unknown = text.trim();
  if (label.startsWith('json.')) {
    try {
      found = JSON.parse(text);
    } catch {
      return 'has a member .json that is no JSON';
    }
    for (const key of label.slice('json.'.length).split('.')) {
      found =
        typeof found === 'object' && found !== null && Object.hasOwn(found, key) ? Reflect.get(found, key) : undefined;
    }
    if (found === undefined || found === null) return `has no label: .json has no field ${quote(label.slice(5))}`;
  }
  const number = typeof found === 'string' && /^[+-]?\d+$/.test(found.trim()) ? Number(found) : found;
  if (!Number.isInteger(number)) {
    return `has the label ${quote(typeof found === 'string' ? found : JSON.stringify(found))}, which is no whole number`;
  }
  const value = number as number;
  if (value >= 0 && value < classes) return value;
  return `has the label ${value}, which is not one of ${classes} classes (0 to ${classes - 1})`;
}
