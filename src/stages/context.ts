/** What every stage gets from its caller: a place for progress and a way to be stopped. Stages never print or exit. */

/** Progress of a running stage, in the order in which it happens. */
export type StageEvent =
  /** A phase begins, for example "compiling" or "training". */
  | { readonly type: 'phase'; readonly text: string }
  /** Something worth a line that is not an error. */
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'warning'; readonly text: string }
  /** One training step is done; `loss` and `accuracy` (0..1) are running means since the last report. */
  | {
      readonly type: 'step';
      readonly step: number;
      readonly steps: number;
      readonly epoch: number;
      readonly loss: number;
      /** Running means of the parts of the loss, by name, where it has parts. */
      readonly parts?: Readonly<Record<string, number>>;
      readonly accuracy: number;
      readonly learningRate: number;
      readonly imagesPerSecond: number;
      /** Share of the time since the last report that was spent waiting for batches, 0..1. */
      readonly dataWait: number;
      readonly etaSeconds: number;
    }
  /** A batch of an evaluation is done; `verb` says what was done if it is no evaluation. */
  | { readonly type: 'evaluating'; readonly done: number; readonly total: number; readonly verb?: string }
  /** An evaluation is done. `top1` and `top5` in 0..1. */
  | {
      readonly type: 'evaluated';
      readonly epoch: number;
      readonly top1: number;
      readonly top5: number;
      readonly loss: number;
      readonly images: number;
    };

/** Handed to every stage. */
export interface StageContext {
  /** Receives progress; must not throw. */
  readonly emit: (event: StageEvent) => void;
  /** Aborted when the user interrupts; the stage then saves what it can and throws `InterruptedError`. */
  readonly signal: AbortSignal;
  /** The command line as typed, for the lineage of the artifacts written. */
  readonly command: string;
}
