/** The files beside a checkpoint of another library: `config.json` and `preprocessor_config.json`. */
import { join } from 'node:path';
import { ModelError } from '../../base/errors.js';
import type { Facts } from './facts.js';
import { isHuggingFaceConfig, readHuggingFaceConfig } from './huggingface-config.js';
import { readJsonFile } from './json-file.js';
import { type ReadPreprocess, readPreprocessorConfig } from './preprocessor-config.js';
import { isTimmConfig, readTimmConfig } from './timm-config.js';

export const CONFIG_FILE = 'config.json';
export const PREPROCESSOR_FILE = 'preprocessor_config.json';

/**
 * What `config.json` in the folder of a checkpoint says; undefined when there is none.
 *
 * @throws ModelError when it is broken, or of a model that this version cannot run.
 */
export async function readFacts(folder: string): Promise<Facts | undefined> {
  const path = join(folder, CONFIG_FILE);
  const config = await readJsonFile(path);
  if (config === undefined) return undefined;
  // transformers' wrapper of timm has both fields, and the architecture is what counts.
  if (isTimmConfig(config)) return readTimmConfig(config, path);
  if (isHuggingFaceConfig(config)) return readHuggingFaceConfig(config, path);
  throw new ModelError(
    `${path}: has neither architecture (timm) nor model_type (Hugging Face); move the checkpoint to a folder of its own`,
  );
}

/**
 * What `preprocessor_config.json` says; undefined when there is none.
 *
 * @throws ModelError when it is broken or cannot be followed.
 */
export async function readImageProcessor(
  folder: string,
  model: { readonly image: readonly [number, number]; readonly channels: number },
): Promise<ReadPreprocess | undefined> {
  const path = join(folder, PREPROCESSOR_FILE);
  const config = await readJsonFile(path);
  return config && readPreprocessorConfig(config, path, model);
}
