/** `wave doctor` on this machine, and on machines where things are missing. */
import { describe, expect, it, vi } from 'vitest';
import * as versions from '#wave/engine/installed-version.js';
import * as probes from '#wave/engine/probe.js';
import { onlyDocument, wave } from './support.js';

vi.mock('#wave/engine/probe.js', async (original) => {
  const actual = await original<typeof probes>();
  return { ...actual, probe: vi.fn(actual.probe) };
});
vi.mock('#wave/engine/installed-version.js', async (original) => {
  const actual = await original<typeof versions>();
  return { ...actual, installedVersion: vi.fn(actual.installedVersion) };
});

interface Report {
  readonly result: {
    readonly usable: boolean;
    readonly findings: { readonly what: string; readonly status: string }[];
  };
}

describe('on this machine', () => {
  it('finds the default engine working and tells about everything there is', async () => {
    const { code, stdout, stderr } = await wave(['doctor', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { result } = onlyDocument(stdout) as Report;
    expect(result.usable).toBe(true);
    expect(result.findings.map(({ what }) => what)).toEqual([
      'node',
      'wave',
      'onnxruntime-node',
      '@tensorflow/tfjs',
      'sharp',
      '@tensorflow/tfjs-node-gpu',
      'ort/cpu',
      'ort/webgpu',
      'ort/cuda',
      'tensorflow/cpu',
      'tensorflow/gpu',
      'ort/auto',
      'tensorflow/auto',
    ]);
    expect(result.findings.find(({ what }) => what === 'ort/cpu')?.status).toBe('ok');
  });
});

describe('on a machine whose default engine crashes', () => {
  const crash = async ({ engine, device }: probes.ProbeTarget): Promise<probes.ProbeResult> =>
    device === 'webgpu'
      ? { engine, device, status: 'ok', detail: 'computed a matrix product in 9 ms; 3 GFLOP/s', speed: 3e9 }
      : { engine, device, status: 'broken', detail: 'crashed with SIGILL', fix: `repair ${device}` };

  it('prints the report, the repairs and the error, and exits with 1', async () => {
    vi.mocked(probes.probe).mockImplementation(crash);
    vi.mocked(versions.installedVersion).mockImplementation((name) =>
      /sharp|node-gpu/.test(name) ? undefined : '1.2.3',
    );
    const { code, stdout, stderr } = await wave(['doctor']);
    expect(code).toBe(1);
    expect(stderr).toBe('wave: error: the default engine ort/cpu does not work: crashed with SIGILL\n');
    const steady = stdout.replace(/^(node|wave)( .*ok +)\S+$/gm, '$1$2VERSION');
    expect(steady).toMatchInlineSnapshot(`
      "what                       status         detail
      -------------------------  -------------  --------------------------------------------
      node                       ok             VERSION
      wave                       ok             VERSION
      onnxruntime-node           ok             1.2.3
      @tensorflow/tfjs           ok             1.2.3
      sharp                      broken         not installed
      @tensorflow/tfjs-node-gpu  not available  not installed
      ort/cpu                    broken         crashed with SIGILL
      ort/webgpu                 ok             computed a matrix product in 9 ms; 3 GFLOP/s
      ort/cuda                   broken         crashed with SIGILL
      tensorflow/cpu             broken         crashed with SIGILL
      tensorflow/gpu             broken         crashed with SIGILL
      ort/auto                   ok             would be ort/webgpu
      tensorflow/auto            not available  no device works

      To repair or add:
        sharp: npm install
        ort/cpu: repair cpu
        ort/cuda: repair cuda
        tensorflow/cpu: repair cpu
        tensorflow/gpu: repair gpu
      "
    `);
  });

  it('has the report beside the error with --json', async () => {
    vi.mocked(probes.probe).mockImplementation(crash);
    const { code, stdout } = await wave(['doctor', '--json']);
    expect(code).toBe(1);
    expect(onlyDocument(stdout)).toMatchObject({
      ok: false,
      error: { type: 'EngineError' },
      result: { usable: false },
    });
  });
});
