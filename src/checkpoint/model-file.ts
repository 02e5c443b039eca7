/** Names of the files that a folder with a model holds. */

/** Name that is looked for in a folder first. */
export const MODEL_FILE = 'model.safetensors';

/** Name that is looked for in a folder second: the index of a model in several files. */
export const INDEX_FILE = 'model.safetensors.index.json';
