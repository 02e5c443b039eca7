/** The `onnx:` block: how a classifier in an ONNX file is fed and understood, where the file itself does not say. */
import { z } from 'zod';
import { ConfigError } from '../base/errors.js';
import { quote } from '../base/text.js';
import { type OnnxFile, type OnnxValue, onnxMetadata } from '../engine/onnx-file.js';
import { onnxSpec } from '../model/export/onnx-metadata.js';
import { MOST, sizeUpTo } from '../model/limits.js';
import type { ModelSpec } from '../model/spec.js';

const LAYOUTS = ['nchw', 'nhwc'] as const;
const INTERPOLATIONS = ['bilinear', 'bicubic'] as const;
const GIVES = ['logits', 'probabilities'] as const;

const side = sizeUpTo(MOST.image);
const optional = <T extends z.ZodType>(schema: T) => schema.nullable().default(null);

export const onnxSchema = z.strictObject({
  input: optional(z.string().min(1)).describe('name of the input; null = the only one'),
  output: optional(z.string().min(1)).describe('name of the output; null = the only one'),
  layout: optional(z.enum(LAYOUTS)).describe('where channels stand; null = as the shape of the input says'),
  image: optional(z.union([side, z.tuple([side, side])])).describe("side, or [height, width]; null = the input's own"),
  mean: optional(z.array(z.number()).min(1)).describe('subtracted, per channel or one for all; null = as the data'),
  std: optional(z.array(z.number().positive()).min(1)).describe('then divided by; null = as the data'),
  scale: z.number().positive().default(1).describe('value of a white pixel before mean and std: 1 or 255'),
  interpolation: optional(z.enum(INTERPOLATIONS)).describe('how images are resized, antialiased; null = bicubic'),
  gives: optional(z.enum(GIVES)).describe('what the output is; null = as the file says'),
});

/** The checked `onnx:` block. */
export type OnnxConfig = z.output<typeof onnxSchema>;

/** For stages that read classifiers. */
export const onnxShape = { onnx: onnxSchema.prefault({}) };

/** The images that a classifier is asked about. */
export interface OnnxData {
  readonly channels: number;
  readonly classes: number;
  /** Height and width, pixels. */
  readonly image: readonly [number, number];
  /** What their values were normalised with, per channel or one for all. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** All that is needed to feed a classifier and to read its answer. */
export interface OnnxPlan {
  readonly input: string;
  readonly output: string;
  readonly layout: (typeof LAYOUTS)[number];
  /** Images in one run, where the file fixes them. */
  readonly batch: number | undefined;
  readonly channels: number;
  /** Height and width, pixels. */
  readonly image: readonly [number, number];
  /** Per channel, in values after `scale`. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly scale: number;
  readonly interpolation: (typeof INTERPOLATIONS)[number];
  readonly gives: (typeof GIVES)[number];
}

/** Element types of inputs that can be fed. */
const INPUT_TYPES = ['float32', 'float16', 'float64', 'uint8'];
/** Numbers of channels that tell where the channels stand. */
const IMAGE_CHANNELS = [1, 3];

/**
 * @param path of the file, for messages
 * @throws ConfigError when file, settings and data do not fit together, or neither file nor settings say what is needed.
 */
export function planClassifier(path: string, file: OnnxFile, config: OnnxConfig, data: OnnxData): OnnxPlan {
  const spec = onnxSpec(file.metadata);
  const input = inputOf(path, file, config);
  const output = pick('output', path, file.outputs, config.output);
  checkOutput(path, output, data);
  const layout = config.layout ?? layoutOf(path, input);
  const [batch, ...sizes] = input.shape;
  const [channels, height, width] = layout === 'nchw' ? sizes : [sizes[2], sizes[0], sizes[1]];
  checkSizes(path, input, { batch, channels, height, width });
  const ownChannels = typeof channels === 'number' ? channels : data.channels;
  checkChannels(path, ownChannels, data);
  return {
    input: input.name,
    output: output.name,
    layout,
    batch: typeof batch === 'number' ? batch : undefined,
    channels: ownChannels,
    image: imageOf(path, [height, width], config),
    ...normalisation(path, ownChannels, { config, data, spec }),
    interpolation: config.interpolation ?? known(INTERPOLATIONS, spec?.preprocess?.interpolation) ?? 'bicubic',
    gives: givesOf(path, output, file, config, spec),
  };
}

/** `input [batch, 3, 224, 224]`, of several separated by commas. */
function described(values: readonly OnnxValue[]): string {
  return values.map(({ name, shape }) => `${quote(name)} [${shape.join(', ')}]`).join(', ');
}

function pick(role: 'input' | 'output', path: string, values: readonly OnnxValue[], name: string | null): OnnxValue {
  const found = name === null ? values : values.filter((value) => value.name === name);
  const [value] = found;
  if (value === undefined) {
    throw new ConfigError(`onnx.${role}: ${path} has no ${role} ${quote(name ?? '')}; it has ${described(values)}`);
  }
  if (found.length > 1) {
    throw new ConfigError(`onnx.${role}: ${path} has ${described(values)}; name the one that is to be used`);
  }
  return value;
}

function inputOf(path: string, { inputs }: OnnxFile, config: OnnxConfig): OnnxValue {
  if (config.input === null && inputs.length > 1) {
    throw new ConfigError(
      `${path}: needs ${described(inputs)}; only a model that takes nothing but images can be used`,
    );
  }
  const input = pick('input', path, inputs, config.input);
  if (inputs.length > 1) {
    const others = inputs.filter((other) => other !== input);
    throw new ConfigError(
      `${path}: also needs ${described(others)}; only a model that takes nothing but images can be used`,
    );
  }
  if (input.shape.length !== 4) {
    throw new ConfigError(`${path}: takes ${described([input])}; an image classifier takes four axes`);
  }
  if (!INPUT_TYPES.includes(input.type)) {
    throw new ConfigError(`${path}: takes ${input.type}; values of type ${INPUT_TYPES.join(', ')} can be given`);
  }
  if (input.type === 'uint8' && config.scale !== 255) {
    throw new ConfigError(
      `onnx.scale: ${path} takes whole numbers from 0 to 255, found scale ${config.scale}; set 255`,
    );
  }
  return input;
}

/** @throws ConfigError unless the file fixes no other number of classes than the data has. */
function checkOutput(path: string, output: OnnxValue, { classes }: OnnxData): void {
  const [, ...sizes] = output.shape;
  if (!/^(float|bfloat)/.test(output.type) || sizes.length === 0) {
    throw new ConfigError(`${path}: gives ${output.type} ${described([output])}; a classifier gives numbers per class`);
  }
  const fixed = sizes.filter((size) => typeof size === 'number');
  const count = fixed.reduce((product, size) => product * size, 1);
  if (fixed.length < sizes.length || count === classes) return;
  throw new ConfigError(`${path} and data: the model has classes ${count}, the data ${classes}; change one of them`);
}

function layoutOf(path: string, input: OnnxValue): (typeof LAYOUTS)[number] {
  const isChannels = (size: number | string | undefined) => typeof size === 'number' && IMAGE_CHANNELS.includes(size);
  const [, first, , last] = input.shape;
  if (isChannels(first) !== isChannels(last)) return isChannels(first) ? 'nchw' : 'nhwc';
  throw new ConfigError(
    `onnx.layout: ${path} takes ${described([input])}, which does not tell where channels stand; set nchw or nhwc`,
  );
}

/** Images in one run of a model that fixes their number. */
const MOST_BATCH = 65_536;
const MOST_OF = { batch: MOST_BATCH, channels: MOST.channels, height: MOST.image, width: MOST.image } as const;

/** @throws ConfigError when a size that the file fixes is none that images have. */
function checkSizes(
  path: string,
  input: OnnxValue,
  sizes: { readonly [Name in keyof typeof MOST_OF]: number | string | undefined },
): void {
  for (const name of Object.keys(MOST_OF) as (keyof typeof MOST_OF)[]) {
    const size = sizes[name];
    const isPossible = typeof size !== 'number' || (Number.isInteger(size) && size >= 1 && size <= MOST_OF[name]);
    if (isPossible) continue;
    throw new ConfigError(
      `${path}: takes ${described([input])}, with ${name} ${size}, expected 1 to ${MOST_OF[name]}; export the model again`,
    );
  }
}

/** @throws ConfigError unless the channels are those of the data, or can be made by repeating the only one. */
function checkChannels(path: string, channels: number, data: OnnxData): void {
  if (channels === data.channels || (data.channels === 1 && channels === 3)) return;
  throw new ConfigError(
    `${path}: takes images with channels ${channels}, those of the data have ${data.channels}; change data.channels or ` +
      'choose another model',
  );
}

function imageOf(
  path: string,
  own: readonly (number | string | undefined)[],
  { image }: OnnxConfig,
): readonly [number, number] {
  const given = typeof image === 'number' ? ([image, image] as const) : image;
  const sizes = own.map((size, axis) => (typeof size === 'number' ? size : given?.[axis]));
  const [height, width] = sizes;
  if (height === undefined || width === undefined) {
    throw new ConfigError(
      `onnx.image: ${path} takes images of any size (${own.join('x')}); give the one it was made for`,
    );
  }
  if (given !== null && (given[0] !== height || given[1] !== width)) {
    throw new ConfigError(`onnx.image: ${path} takes ${height}x${width}, found ${given.join('x')}; leave it out`);
  }
  return [height, width];
}

interface Sources {
  readonly config: OnnxConfig;
  readonly data: OnnxData;
  /** What the file says, where this suite has written it. */
  readonly spec: ModelSpec | undefined;
}

function normalisation(path: string, channels: number, { config, data, spec }: Sources) {
  const { scale } = config;
  const perChannel = (name: 'mean' | 'std') => {
    const given = config[name];
    if (given === null && scale !== 1) {
      throw new ConfigError(
        `onnx.${name}: is counted in values up to ${scale} (onnx.scale); give it, [${name === 'mean' ? 0 : 1}] for none`,
      );
    }
    const values = given ?? spec?.preprocess?.[name] ?? data[name];
    if (values.length !== 1 && values.length !== channels) {
      throw new ConfigError(
        `onnx.${name}: ${values.length} values for the ${channels} channels of ${path}; give one per channel, or one for all`,
      );
    }
    return Array.from({ length: channels }, (_, channel) => values[values.length === 1 ? 0 : channel] as number);
  };
  return { scale, mean: perChannel('mean'), std: perChannel('std') };
}

function givesOf(
  path: string,
  output: OnnxValue,
  { metadata }: OnnxFile,
  { gives }: OnnxConfig,
  spec: ModelSpec | undefined,
): (typeof GIVES)[number] {
  const kind = gives ?? saidToGive(metadata, spec);
  if (kind !== undefined) return kind;
  throw new ConfigError(unknownGives(path, ` ${quote(output.name)}`));
}

/** What an export of this suite says of its output. */
function saidToGive(metadata: ReadonlyMap<string, string>, spec = onnxSpec(metadata)) {
  return spec === undefined ? undefined : known(GIVES, metadata.get('output'));
}

function unknownGives(path: string, output: string): string {
  return (
    `onnx.gives: ${path} does not say what its output${output} is; set logits, or probabilities for a model that ends ` +
    'in a softmax'
  );
}

/**
 * Why it cannot be known what a classifier gives, as far as neither data nor a run is needed; undefined when it is.
 *
 * @throws CheckpointError when the file cannot be read.
 */
export async function givesProblem(path: string, { gives, output }: OnnxConfig): Promise<string | undefined> {
  if (gives !== null || saidToGive(await onnxMetadata(path)) !== undefined) return undefined;
  return unknownGives(path, output === null ? '' : ` ${quote(output)}`);
}

function known<T extends string>(values: readonly T[], text: string | undefined): T | undefined {
  return values.find((value) => value === text);
}
