/** The smallest stage of the method on the device webgpu, as a process: the same numbers as on the CPU. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PipelineReport } from '#wave/stages/pipeline/index.js';
import { expectClose } from '../support/close.js';
import { needsWebgpu } from '../support/webgpu.js';
import { Place, SETTINGS } from './support.js';

const place = new Place();
afterAll(() => place.remove());
beforeEach(({ skip }) => needsWebgpu(skip));

const METHOD = `${SETTINGS}
targets: [{ depth: 1, width: 16 }]
stages:
  ancestor: { stage: pretrain, train: { epochs: 2 } }
  bank: { stage: distill, ancestor: ancestor, train: { epochs: 2 } }
  init: { templates: bank }
  fit: { templates: bank, scalers: init, train: { epochs: 1 } }
`;

beforeAll(() => writeFileSync(place.at('method.yaml'), METHOD));

/** Losses of a run, in training and in evaluations. */
function losses(folder: string): number[] {
  const lines = place.bytes(folder, 'metrics.jsonl').toString().trim().split('\n');
  return lines.map((line) => {
    const { loss, test_loss } = JSON.parse(line);
    return (loss ?? test_loss) as number;
  });
}

describe('a pipeline', () => {
  it('fits a target on webgpu as on the CPU', async () => {
    await place.result<PipelineReport>(['run', 'method.yaml', '--out', 'runs']);
    const cpu = losses('runs/fit/16x1');
    const { stages } = await place.result<PipelineReport>([
      ...['run', 'method.yaml', '--out', 'runs', '--only', 'fit', '--device', 'webgpu'],
    ]);
    expect(stages.filter(({ status }) => status === 'run').map(({ stage }) => stage)).toEqual(['fit']);
    expectClose('losses', losses('runs/fit/16x1'), cpu, { relative: 1e-4 });
  });
});
