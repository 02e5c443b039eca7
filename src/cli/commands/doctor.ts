/** `wave doctor`: what works on this machine, really tried, and the line that repairs what does not. */
import { EngineError } from '../../base/errors.js';
import { toolVersion } from '../../base/version.js';
import { installedVersion } from '../../engine/installed-version.js';
import { PROBE_TARGETS, type ProbeResult, probe } from '../../engine/probe.js';
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

export const doctorCommand: Command = {
  positionals: [],
  flags: EVERYWHERE,
  examples: [
    { command: 'wave doctor', purpose: 'What works here?' },
    { command: 'wave doctor --json', purpose: 'The same for a script; exit code 0 if the default engine works' },
  ],
  run,
};

async function run(): Promise<Outcome> {
  const probes: ProbeResult[] = [];
  // One after the other: two drivers at once could hold each other up.
  for (const target of PROBE_TARGETS) probes.push(await probe(target));
  const findings: Finding[] = [
    { what: 'node', status: 'ok', detail: process.versions.node },
    { what: 'wave', status: 'ok', detail: toolVersion() },
    ...['onnxruntime-node', '@tensorflow/tfjs', 'sharp'].map(describePackage),
    ...probes.map(describeProbe),
  ];
  const usable = probes[0].status === 'ok';
  const data = { usable, findings };
  const text = await render(findings);
  if (usable) return { data, text };
  const failure = new EngineError(`the default engine ort/cpu does not work: ${probes[0].detail}`);
  return { data, text, failure };
}

function describePackage(name: string): Finding {
  const version = installedVersion(name);
  if (version !== undefined) return { what: name, status: 'ok', detail: version };
  return { what: name, status: 'broken', detail: 'not installed', fix: 'npm install' };
}

function describeProbe({ engine, device, status, detail }: ProbeResult): Finding {
  const what = `${engine}/${device}`;
  return status === 'ok' ? { what, status, detail } : { what, status, detail, fix: FIXES[what] };
}

const FIXES: Readonly<Record<string, string>> = {
  'ort/cpu': 'npm install --force onnxruntime-node (64-bit Linux, macOS or Windows)',
  'ort/webgpu': 'install the GPU driver with Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows)',
};

async function render(findings: readonly Finding[]): Promise<string> {
  const { renderTable } = await import('../table.js');
  const table = renderTable(
    [{ name: 'what' }, { name: 'status' }, { name: 'detail' }],
    findings.map(({ what, status, detail }) => [what, status, detail]),
  );
  const fixes = findings.filter(({ fix }) => fix !== undefined).map(({ what, fix }) => `  ${what}: ${fix}\n`);
  return fixes.length === 0 ? table : `${table}\nTo repair or add:\n${fixes.join('')}`;
}
