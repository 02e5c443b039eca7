/** Images that could not be read: told one by one as warnings as long as they are few, and counted. */
import { printable } from '../base/text.js';
import type { Dataset, UnreadableImage } from '../data/index.js';
import type { StageContext } from './context.js';

/** Images that are told by name. */
const MOST_TOLD = 10;
/** Images of each split that a saved state names; of more, those beyond are counted again when a run is resumed. */
const MOST_KEPT = 10_000;

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

  /** Counts images that have been told before. */
  addTold(count: number): void {
    this.#count += count;
  }

  /** Counts what sources have left out when they were opened. */
  addLeftOut(...datasets: readonly Dataset[]): void {
    for (const { source } of datasets) source.leftOut?.forEach(this.add);
  }

  /** For the result of a stage: nothing where no image was left out. */
  result(): { readonly brokenImages?: number } {
    return this.#count > 0 ? { brokenImages: this.#count } : {};
  }
}

/** Images of each split that could not be read, by index in their source. */
export type FoundImages = Readonly<Record<Dataset['split'], readonly number[]>>;

/**
 * Those of a training run, each told and counted once however often the run is resumed. Whether it is resumed is known only
 * after its data is open: what is found before then waits for `begin`.
 */
export class BrokenImagesOfRun {
  readonly #images: BrokenImages;
  readonly #datasets: readonly Dataset[];
  readonly #found = { train: new Set<number>(), test: new Set<number>() };
  #waiting: (() => void)[] | undefined = [];
  #isResumed = false;

  constructor(context: Pick<StageContext, 'emit'>, datasets: readonly Dataset[]) {
    this.#images = new BrokenImages(context);
    this.#datasets = datasets;
  }

  get count(): number {
    return this.#images.count;
  }

  /** Counts an image of a split, unless it has been before. */
  add(split: Dataset['split'], image: UnreadableImage): void {
    if (this.#waiting) {
      this.#waiting.push(() => this.add(split, image));
      return;
    }
    const found = this.#found[split];
    if (found.has(image.index)) return;
    found.add(image.index);
    this.#images.add(image);
  }

  /** What a saved state has to name. */
  saved(): FoundImages {
    const { train, test } = this.#found;
    return { train: [...train].slice(0, MOST_KEPT), test: [...test].slice(0, MOST_KEPT) };
  }

  /** Takes over what an interrupted run has found and told; before `begin`. */
  restore(before: FoundImages): void {
    this.#isResumed = true;
    for (const split of ['train', 'test'] as const) {
      for (const index of before[split]) this.#found[split].add(index);
    }
  }

  /** Tells what is known by now, and from here on what is found. */
  begin(): void {
    const { train, test } = this.#found;
    this.#images.addTold(train.size + test.size);
    if (this.#isResumed) for (const { source } of this.#datasets) this.#images.addTold(source.leftOut?.length ?? 0);
    else this.#images.addLeftOut(...this.#datasets);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const tell of waiting) tell();
  }

  /** As that of {@link BrokenImages}: of the whole run. */
  result(): { readonly brokenImages?: number } {
    return this.#images.result();
  }
}

/** Tells what sources have to say of their files: formats that are not read, classes without images. */
export function warnOfFiles(datasets: readonly Dataset[], { emit }: Pick<StageContext, 'emit'>): void {
  for (const { source } of datasets) for (const text of source.notes ?? []) emit({ type: 'warning', text });
}
