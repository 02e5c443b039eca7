import { expect, it } from 'vitest';
import { withOpened } from '#wave/stages/opened.js';

/** Openers that note what they do. */
function openers(log: string[], engine = () => {}) {
  const close = (name: string) => async () => void log.push(`${name} closed`);
  return {
    loaders: () => ({ close: close('loaders') }),
    engine: async () => {
      engine();
      return { dispose: close('engine') };
    },
  };
}

it('closes the loaders when the engine cannot be opened', async () => {
  const log: string[] = [];
  const open = openers(log, () => {
    throw new Error('no engine');
  });
  await expect(withOpened(open, async () => log.push('worked'))).rejects.toThrow('no engine');
  expect(log).toEqual(['loaders closed']);
});

it('closes both when the work fails, and when it is done', async () => {
  const log: string[] = [];
  const failing = withOpened(openers(log), async () => {
    log.push('worked');
    throw new Error('no luck');
  });
  await expect(failing).rejects.toThrow('no luck');
  expect(log).toEqual(['worked', 'loaders closed', 'engine closed']);
  expect(await withOpened(openers(log), async () => 7)).toBe(7);
  expect(log.length).toBe(5);
});
