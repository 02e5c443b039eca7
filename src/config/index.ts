/** Configuration: YAML loading with overrides, error reporting, canonical form, and the schema of the `data:` block. */
export { canonicalYaml, configSha256, resolvedConfigYaml } from './canonical.js';
export { type DataConfig, dataSchema } from './data-schema.js';
export { type LoadConfigOptions, loadConfig } from './load.js';
export { parseRandAugment, type RandAugmentSettings } from './rand-augment.js';
export { RECIPES } from './recipes.js';
export { jsonSchema, nonStrictPaths } from './schema-tools.js';
export { closest, editDistance } from './suggest.js';
