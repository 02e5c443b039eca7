/** What a user says about a checkpoint that does not say it itself. */

/** What the user says because shapes cannot tell, or how to speak to the user. */
export interface Hints {
  readonly heads?: number | undefined;
  /** How the user gives the heads, for messages; default `--heads`. */
  readonly headsFlag?: string;
  /** What the user may give instead of a model, for messages: `--templates and --scalers`. */
  readonly insteadOfModel?: string;
  /** Height and width that it was made for, pixels; default: what `config.json` says, or square. */
  readonly image?: readonly [number, number] | undefined;
  /** Added to the variance in layer norms. */
  readonly eps?: number | undefined;
  /** Zeros for biases of queries, keys and values that the file does not have. */
  readonly fillBias?: boolean | undefined;
}

/** The usual flag for the heads of a checkpoint, and the one for those of an ancestor beside another model. */
export const HEADS_FLAG = '--heads';
export const ANCESTOR_HEADS_FLAG = '--ancestor-heads';

/** What timm's ViTs add to the variance; it is built into timm and stands in no file. */
export const TIMM_EPS = 1e-6;
