/** `wave inspect`: what is in a checkpoint, ours or another tool's. */
import { elementCount } from '../../base/shape.js';
import type { ArtifactInfo, SafetensorsReader } from '../../checkpoint/index.js';
import type { Arguments } from '../arguments.js';
import type { Command, Outcome, Session } from '../command.js';
import { EVERYWHERE } from '../flags.js';

export const inspectCommand: Command = {
  positionals: [
    {
      name: 'file',
      description:
        'safetensors file, or a folder with model.safetensors, a model in several files, templates.safetensors or scalers.safetensors',
    },
  ],
  flags: EVERYWHERE,
  examples: [
    { command: 'wave inspect runs/mnist/model.safetensors', purpose: 'What is in this file, and where is it from?' },
    { command: 'wave inspect runs/mnist --json', purpose: 'The same for a script' },
  ],
  run,
};

/** Parts of a ViT; a tensor belongs to the first group whose pattern its name fits. Names of timm and Hugging Face. */
const GROUPS = [
  ['blocks', /(^|\.)(blocks|layers?|encoder)\.\d+\./],
  ['embeddings', /(^|\.)(patch_embed|pos_embed|cls_token|dist_token|reg_token|mask_token|embeddings)(\.|$)/],
  ['head', /(^|\.)(head|head_dist|classifier|cls_classifier|distillation_classifier)(\.|$)/],
] as const;

/** What begins otherwise in a saved state belongs to the optimiser. */
const STATE_PARAMETER = 'parameter.';

interface Listing {
  readonly source: string;
  readonly files: readonly string[];
  readonly kind: string | null;
  readonly spec: unknown;
  readonly lineage: ArtifactInfo['lineage'] | null;
  /** Metadata of other tools. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Numbers of parameters: the total, then by part of the model. */
  readonly parameters: Readonly<Record<'total' | 'blocks' | 'embeddings' | 'head' | 'other', number>>;
  readonly tensors: readonly TensorRow[];
  readonly warnings: readonly string[];
}

interface TensorRow {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly parameters: number;
}

async function run(args: Arguments, session: Session): Promise<Outcome> {
  const { anyArtifactFile, openSafetensors, readArtifactInfo } = await import('../../checkpoint/index.js');
  const reader = await openSafetensors(anyArtifactFile(args.needText('file')));
  try {
    const listing = list(reader, readArtifactInfo(reader));
    for (const warning of listing.warnings) session.warn(`warning: ${warning}`);
    return { data: listing, text: await render(listing) };
  } finally {
    await reader.close();
  }
}

function list(reader: SafetensorsReader, info: ArtifactInfo | undefined): Listing {
  const tensors = [...reader.tensors.values()].map(({ name, dtype, shape }): TensorRow => {
    return { name, dtype, shape, parameters: elementCount(shape) };
  });
  const parameters = { total: 0, blocks: 0, embeddings: 0, head: 0, other: 0 };
  for (const tensor of tensors) {
    if (info?.kind === 'state' && !tensor.name.startsWith(STATE_PARAMETER)) continue;
    const group = GROUPS.find(([, pattern]) => pattern.test(tensor.name))?.[0] ?? 'other';
    parameters[group] += tensor.parameters;
    parameters.total += tensor.parameters;
  }
  return {
    source: reader.source,
    files: reader.files,
    kind: info?.kind ?? null,
    spec: info?.spec ?? null,
    lineage: info?.lineage ?? null,
    metadata: Object.fromEntries(info?.metadata ?? reader.metadata),
    parameters,
    tensors,
    warnings: reader.warnings,
  };
}

async function render(listing: Listing): Promise<string> {
  const { renderPairs, renderTable } = await import('../table.js');
  const { kind, lineage, parameters } = listing;
  const tensors = renderTable(
    [{ name: 'tensor' }, { name: 'dtype' }, { name: 'shape', align: 'right' }, { name: 'parameters', align: 'right' }],
    listing.tensors.map((row) => [row.name, row.dtype, `[${row.shape.join(', ')}]`, String(row.parameters)]),
  );
  const facts: [string, string][] = [
    ['file', listing.source],
    ['kind', kind ?? 'safetensors file of another tool'],
    ...entries('spec', listing.spec),
    ...entries('lineage', lineage),
    ...entries('metadata', listing.metadata),
  ];
  const { total, ...groups } = parameters;
  const sums: [string, string][] = [['tensors', String(listing.tensors.length)]];
  sums.push(['parameters', String(total)]);
  for (const [name, count] of Object.entries(groups)) if (count > 0) sums.push([`  ${name}`, String(count)]);
  return `${renderPairs(facts)}\n${tensors}\n${renderPairs(sums)}`;
}

/** The fields of a record, one line each; what is nested stays JSON. */
function entries(name: string, record: unknown): [string, string][] {
  if (record === null || record === undefined) return [];
  if (typeof record !== 'object' || Array.isArray(record)) return [[name, JSON.stringify(record)]];
  return Object.entries(record).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]);
}
