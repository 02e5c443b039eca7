/** Whether a run that is resumed has been finished already: its artifacts are there, and made as it would make them. */
import { type Lineage, openSafetensors, readArtifactInfo, sha256File } from '../checkpoint/index.js';
import type { RunFiles, RunFolder } from './run-folder.js';
import { lineageDifference } from './saved-state.js';

type Made = RunFiles['makes'][number];

/**
 * What has been made from the artifacts of a run names them by their hash, and their date is part of it: the artifacts of
 * a finished run must not be written again, even if they were to hold the same weights.
 *
 * @param lineage of the run, as it is written now
 */
export async function isFinished(folder: RunFolder, { makes }: RunFiles, lineage: Lineage): Promise<boolean> {
  try {
    for (const kind of makes) {
      if (!(await isMade(folder[kind], kind, await ownLineage(folder, makes, kind, lineage)))) return false;
    }
    return true;
  } catch {
    // One that is missing or cannot be read: whoever writes it again will tell what is wrong with its place.
    return false;
  }
}

/** Scalers that are written beside their templates have these as a parent. */
async function ownLineage(folder: RunFolder, makes: readonly Made[], kind: Made, lineage: Lineage): Promise<Lineage> {
  if (kind !== 'scalers' || !makes.includes('templates')) return lineage;
  const templates = { name: 'templates', sha256: await sha256File(folder.templates) };
  return { ...lineage, parents: [...lineage.parents, templates] };
}

async function isMade(path: string, kind: Made, expected: Lineage): Promise<boolean> {
  const file = await openSafetensors(path);
  await file.close();
  const info = readArtifactInfo(file);
  if (info?.kind !== kind || lineageDifference(info.lineage, expected) !== undefined) return false;
  const templates = expected.parents.find(({ name }) => name === 'templates')?.sha256;
  return kind !== 'scalers' || (info.spec as { templates_sha256?: unknown }).templates_sha256 === templates;
}
