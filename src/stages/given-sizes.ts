/** Sizes that flags and settings give: one that cannot be is a wrong flag or setting, not a file at fault. */
import { ConfigError, ModelError } from '../base/errors.js';

/**
 * What `check` gives.
 *
 * @param place begins the message: the setting that the size stands in
 * @throws ConfigError in place of a ModelError.
 */
export function givenSizes<T>(check: () => T, place?: string): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw new ConfigError(place === undefined ? error.message : `${place}: ${error.message}`, { cause: error });
  }
}
