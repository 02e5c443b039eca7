/** Pipelines: the device of all stages that leave it to be chosen, chosen once for each engine. */
import { z } from 'zod';
import { engineSchema } from '../../config/engine-schema.js';
import { AUTO } from '../../engine/targets.js';
import { type Telling, withDevice } from '../device.js';
import type { Pipeline, Task } from './tasks.js';

/** What of a stage's settings decides; kinds that compute nothing have no engine. */
const computing = z.object({
  engine: engineSchema,
  train: z.object({ accumulate: z.number() }).optional(),
});

/** The pipeline with a device in place of every `auto`, so that what is up to date is judged by the device it is made on. */
export async function withDevices(pipeline: Pipeline, telling: Telling): Promise<Pipeline> {
  const open = pipeline.tasks.flatMap(({ config }) => {
    const { data } = computing.safeParse(config);
    return data?.engine.device === AUTO ? [data] : [];
  });
  const chosen = new Map<string, string>();
  for (const { engine } of open) {
    const same = open.filter((other) => other.engine.name === engine.name);
    // The stages of one run take the same device: one that can do what any of them asks for.
    const accumulate = Math.max(...same.map(({ train }) => train?.accumulate ?? 1));
    if (chosen.has(engine.name)) continue;
    const { engine: found } = await withDevice({ engine, train: { accumulate } }, telling);
    chosen.set(engine.name, found.device);
  }
  const withOwn = (task: Task): Task => {
    const { data } = computing.safeParse(task.config);
    if (data?.engine.device !== AUTO) return task;
    const engine = { ...data.engine, device: chosen.get(data.engine.name) };
    return { ...task, config: { ...(task.config as object), engine } };
  };
  return open.length === 0 ? pipeline : { ...pipeline, tasks: pipeline.tasks.map(withOwn) };
}
