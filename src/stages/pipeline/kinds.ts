/** The kinds of stages that a pipeline can have, by the name that `stage:` gives. A new kind is a file and a line. */
import type { StageKind } from './kind.js';
import { distillKind } from './kind-distill.js';
import { evalKind } from './kind-eval.js';
import { finetuneKind } from './kind-finetune.js';
import { fitKind } from './kind-fit.js';
import { initKind } from './kind-init.js';
import { pretrainKind } from './kind-pretrain.js';

export const STAGE_KINDS: ReadonlyMap<string, StageKind> = new Map([
  ['pretrain', pretrainKind],
  ['distill', distillKind],
  ['init', initKind],
  ['fit', fitKind],
  ['finetune', finetuneKind],
  ['eval', evalKind],
]);
