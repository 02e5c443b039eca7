/** Images that could not be read: told one by one as warnings as long as they are few, and counted. */
import { printable } from '../base/text.js';
import type { Dataset } from '../data/index.js';
import type { StageContext } from './context.js';

/** Images that are told by name. */
const MOST_TOLD = 10;

export class BrokenImages {
  readonly #emit: StageContext['emit'];
  #count = 0;

  constructor({ emit }: Pick<StageContext, 'emit'>) {
    this.#emit = emit;
  }

  /** So far. */
  get count(): number {
    return this.#count;
  }

  /** Counts an image; a loader calls it once for each that it leaves out. */
  readonly add = ({ name, reason }: { readonly name: string; readonly reason: string }): void => {
    this.#count++;
    if (this.#count > MOST_TOLD + 1) return;
    const more = 'more images that cannot be read are left out; from here on they are only counted';
    const text = this.#count > MOST_TOLD ? more : `${printable(name)}: ${reason}; left out`;
    this.#emit({ type: 'warning', text });
  };

  /** Counts what sources have left out when they were opened. */
  addLeftOut(...datasets: readonly Dataset[]): void {
    for (const { source } of datasets) source.leftOut?.forEach(this.add);
  }

  /** For the result of a stage: nothing where no image was left out. */
  result(): { readonly brokenImages?: number } {
    return this.#count > 0 ? { brokenImages: this.#count } : {};
  }
}

/** Tells what sources have to say of their files: formats that are not read, classes without images. */
export function warnOfFiles(datasets: readonly Dataset[], { emit }: Pick<StageContext, 'emit'>): void {
  for (const { source } of datasets) for (const text of source.notes ?? []) emit({ type: 'warning', text });
}
