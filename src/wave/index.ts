/** Templates and scalers: banks, targets, materialisation, inheritance, programs and files. */
export type { Arrangement } from './arrangement.js';
export {
  checkTogether,
  type LoadedBank,
  type LoadedScalers,
  loadScalers,
  loadTemplates,
  type ScalersSpec,
  saveScalers,
  saveTemplates,
  scalersSpecSchema,
} from './artifacts.js';
export {
  type BankSpec,
  bankSpecSchema,
  blocksAcross,
  CONVENTIONS,
  type Convention,
  checkLayout,
  countNumbers,
  type KindShape,
  kindShapes,
  MOST_TEMPLATES,
  OWN,
  SCALERS,
  scalerShapes,
  TEMPLATES,
  type TemplateLayout,
  templateLayoutSchema,
  templateShapes,
} from './bank.js';
export { type ClosedFormJob, closedFormInThread } from './closed-form-thread.js';
export { type ClosedForm, closedForm, closedFormFor } from './decompose.js';
export { type DistillationLoss, distillationLoss, KD_TARGETS, REDUCTIONS } from './distillation-loss.js';
export { inheritScalers, type NamedValues } from './inherit-host.js';
export { type Axis, type AxisRole, type Kind, modelKinds, parameterName } from './kinds.js';
export { materialise } from './materialise.js';
export { materialiser, materialiseValues } from './materialise-host.js';
export {
  ANCESTOR,
  CE,
  KD,
  type TemplateModel,
  type TemplateTrainingOptions,
  templateInferenceProgram,
  templateTrainingProgram,
} from './program.js';
export { randomScalers, randomTemplates, type ScalersOf } from './random.js';
export { type TemplateTrainingRule, templateEntries } from './state.js';
export { type TargetSize, targetSpec, widthUnit } from './target.js';
