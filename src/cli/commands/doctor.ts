/** `wave doctor`: what works on this machine, really tried, and the line that repairs what does not. */
import { EngineError } from '../../base/errors.js';
import { toolVersion } from '../../base/version.js';
import { chooseDevice } from '../../engine/choose.js';
import { installedVersion } from '../../engine/installed-version.js';
import { type ProbeResult, probe } from '../../engine/probe.js';
import { AUTO, type EngineName, TARGETS, targetName } from '../../engine/targets.js';
import type { Command, Outcome } from '../command.js';
import { EVERYWHERE } from '../flags.js';

/** One row of the report. */
interface Finding {
  readonly what: string;
  readonly status: 'ok' | 'broken' | 'not available';
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
}

/** Packages that the suite stands on, and what brings them back. */
const PACKAGES = ['onnxruntime-node', '@tensorflow/tfjs', 'sharp'];
/** Of an engine that need not be there. */
const OPTIONAL_PACKAGES = ['@tensorflow/tfjs-node-gpu'];

export const doctorCommand: Command = {
  positionals: [],
  flags: EVERYWHERE,
  examples: [
    { command: 'wave doctor', purpose: 'What works here, and how fast is it?' },
    { command: 'wave doctor --json', purpose: 'The same for a script; exit code 0 if the default engine works' },
  ],
  run,
};

async function run(): Promise<Outcome> {
  const probes: ProbeResult[] = [];
  // One after the other: two drivers at once could hold each other up.
  for (const target of TARGETS) probes.push(await probe(target, { speed: true }));
  const findings: Finding[] = [
    { what: 'node', status: 'ok', detail: process.versions.node },
    { what: 'wave', status: 'ok', detail: toolVersion() },
    ...PACKAGES.map((name) => describePackage(name, 'broken')),
    ...OPTIONAL_PACKAGES.map((name) => describePackage(name, 'not available')),
    ...probes.map(describeProbe),
    ...(await Promise.all([...new Set(TARGETS.map(({ engine }) => engine))].map((name) => describeAuto(name, probes)))),
  ];
  const usable = probes[0].status === 'ok';
  const data = { usable, findings };
  const text = await render(findings);
  if (usable) return { data, text };
  const failure = new EngineError(`the default engine ort/cpu does not work: ${probes[0].detail}`);
  return { data, text, failure };
}

function describePackage(name: string, otherwise: Finding['status']): Finding {
  const version = installedVersion(name);
  if (version !== undefined) return { what: name, status: 'ok', detail: version };
  // What an optional package is for says how to get it.
  return {
    what: name,
    status: otherwise,
    detail: 'not installed',
    ...(otherwise === 'broken' && { fix: 'npm install' }),
  };
}

function describeProbe({ status, detail, fix, ...target }: ProbeResult): Finding {
  return { what: targetName(target), status, detail, ...(fix === undefined ? {} : { fix }) };
}

/** What `--device auto` would take. */
async function describeAuto(engine: EngineName, probes: readonly ProbeResult[]): Promise<Finding> {
  const own = probes.filter((result) => result.engine === engine);
  const what = targetName({ engine, device: AUTO });
  if (!own.some(({ status }) => status === 'ok')) return { what, status: 'not available', detail: 'no device works' };
  const tryTarget: typeof probe = async ({ device }) => own.find((result) => result.device === device) ?? probe(own[0]);
  const { device } = await chooseDevice(engine, { tryTarget });
  return { what, status: 'ok', detail: `would be ${targetName({ engine, device })}` };
}

async function render(findings: readonly Finding[]): Promise<string> {
  const { renderTable } = await import('../table.js');
  const table = renderTable(
    [{ name: 'what' }, { name: 'status' }, { name: 'detail' }],
    findings.map(({ what, status, detail }) => [what, status, detail]),
  );
  const fixes = findings.filter(({ fix }) => fix !== undefined).map(({ what, fix }) => `  ${what}: ${fix}\n`);
  return fixes.length === 0 ? table : `${table}\nTo repair or add:\n${fixes.join('')}`;
}
