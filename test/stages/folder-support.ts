/** Folders of images for the tests of stages, and what a stage warned of. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestContext } from './support.js';

/** Path of a fixture. */
export const image = (name: string) => fileURLToPath(new URL(`../data/fixtures/pictures/${name}`, import.meta.url));

/** Makes folders of classes with `each` images, more under the names given. */
export const folderIn =
  (root: string) =>
  (name: string, classes: readonly string[], each: number, more: Readonly<Record<string, string>> = {}): string => {
    const [cat, other] = [image('small.png'), image('grey.png')];
    classes.forEach((one, label) => {
      mkdirSync(join(root, name, one), { recursive: true });
      for (let i = 0; i < each; i++) copyFileSync(label === 0 ? cat : other, join(root, name, one, `${i}.png`));
    });
    for (const [path, fixture] of Object.entries(more)) copyFileSync(image(fixture), join(root, name, path));
    return join(root, name);
  };

export const warnings = ({ events }: TestContext) =>
  events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));

/** The block `data:` of two folders, whose images of 16 pixels may be broken. */
export const folderData = (train: string, test: string, more: object = {}) => ({
  source: 'folder',
  train: { folder: train },
  test: { folder: test },
  image: 16,
  on_broken: 'skip',
  ...more,
});
