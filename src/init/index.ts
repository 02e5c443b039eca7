/** Methods of initialisation: from templates, from an ancestor, from scratch. */
export type { Change, Initialised, Inputs, Method, Need, Paper, Request } from './method.js';
export { checkedOptions } from './options.js';
export { findMethod, METHODS, type MethodEntry } from './registry.js';
export { planTarget, resized } from './target.js';
