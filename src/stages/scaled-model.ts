/** The model that a pair of files makes: templates, and the scalers of a target. */
import type { ModelSpec } from '../model/spec.js';
import { checkTogether, loadScalers, loadTemplates, materialiseValues, type NamedValues } from '../wave/index.js';

/** Paths of artifacts that belong together. */
export interface ScaledModelFiles {
  readonly templates: string;
  readonly scalers: string;
}

/**
 * Computes the weights on the host.
 *
 * @throws CheckpointError when a file cannot be read or is another kind of artifact; ConfigError when the scalers were
 * made for other templates.
 */
export async function loadScaledModel(
  files: ScaledModelFiles,
): Promise<{ readonly spec: ModelSpec; readonly values: NamedValues }> {
  const [bank, scalers] = await Promise.all([loadTemplates(files.templates), loadScalers(files.scalers)]);
  checkTogether({ path: files.templates, bank }, { path: files.scalers, scalers });
  const { model: spec, templates } = scalers.spec;
  return { spec, values: materialiseValues(spec, templates, new Map([...bank.values, ...scalers.values])) };
}
