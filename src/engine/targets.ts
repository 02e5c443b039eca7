/** The one table of engines and their devices. It imports nothing, so that it can be read where an engine cannot be loaded. */

/** An engine's name. */
export type EngineName = 'ort' | 'tensorflow';

/** A device of an engine. */
export interface EngineTarget {
  readonly engine: EngineName;
  readonly device: string;
  /** What it computes on. */
  readonly processor: 'cpu' | 'gpu';
  /** Whether a step can be done in parts (`train.accumulate`). */
  readonly accumulates: boolean;
}

/** Everything the suite can compute on, in the order of `wave doctor`. The first is the default. */
export const TARGETS = [
  { engine: 'ort', device: 'cpu', processor: 'cpu', accumulates: true },
  { engine: 'ort', device: 'webgpu', processor: 'gpu', accumulates: false },
  { engine: 'ort', device: 'cuda', processor: 'gpu', accumulates: false },
  { engine: 'tensorflow', device: 'cpu', processor: 'cpu', accumulates: true },
  { engine: 'tensorflow', device: 'gpu', processor: 'gpu', accumulates: true },
] as const satisfies readonly EngineTarget[];

/** Names of the devices of engine `engine`, as they stand in the settings. */
export type DeviceOf<Name extends EngineName> = Extract<(typeof TARGETS)[number], { engine: Name }>['device'];

/** In place of a device: the fastest that works here. */
export const AUTO = 'auto';

/** The devices of an engine. */
export function targetsOf(engine: EngineName): readonly EngineTarget[] {
  return TARGETS.filter((target) => target.engine === engine);
}

/** `ort/webgpu`. */
export function targetName({ engine, device }: Pick<EngineTarget, 'engine' | 'device'>): string {
  return `${engine}/${device}`;
}
