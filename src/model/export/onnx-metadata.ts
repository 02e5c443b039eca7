/** What an ONNX model of this suite says about itself in `metadata_props`: how to prepare images, what comes out. */
import { canonicalJson } from '../../base/canonical-json.js';
import { type ModelSpec, modelSpecSchema } from '../spec.js';
import { classNames, fullPreprocess } from './preprocessing.js';

/** What a model gives: logits, or their softmax. Also the name of its output. */
export type OnnxOutput = 'logits' | 'probabilities';

/** Key of the whole spec, as in a model checkpoint's metadata. */
const SPEC_KEY = 'wave.spec';

/**
 * Names are plain text, everything else is JSON. What the model does not say about images is left out; what it implies
 * (`resize`, `resize_mode`, `interpolation`) is said.
 */
export function onnxMetadata(spec: ModelSpec, output: OnnxOutput, producer: string): ReadonlyMap<string, string> {
  const [preprocess, labels] = [fullPreprocess(spec), classNames(spec)];
  return new Map<string, string>([
    ['producer', producer],
    ['output', output],
    ...(preprocess === undefined
      ? []
      : ([
          ['mean', JSON.stringify(preprocess.mean)],
          ['std', JSON.stringify(preprocess.std)],
          ['resize', JSON.stringify(preprocess.resize)],
          ['resize_mode', preprocess.resize_mode],
          ['interpolation', preprocess.interpolation],
        ] as const)),
    ...(labels === undefined ? [] : ([['labels', JSON.stringify(labels)]] as const)),
    [SPEC_KEY, canonicalJson(spec)],
  ]);
}

/** The spec that {@link onnxMetadata} stored; undefined for a model of another program, or one that is not understood. */
export function onnxSpec(metadata: ReadonlyMap<string, string>): ModelSpec | undefined {
  const text = metadata.get(SPEC_KEY);
  if (text === undefined) return undefined;
  try {
    return modelSpecSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
