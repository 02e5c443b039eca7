import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openSafetensors, serializeSafetensors, type TensorInput, writeSafetensors } from '#wave/checkpoint/index.js';
import { rejectionOf, temporaryFolder } from './helpers.js';

const root = temporaryFolder();
const child = fileURLToPath(new URL('write-child.mjs', import.meta.url));
let count = 0;

function place(): { folder: string; path: string } {
  const folder = join(root, `${count++}`);
  mkdirSync(folder);
  return { folder, path: join(folder, 'model.safetensors') };
}

const OLD: ReadonlyMap<string, TensorInput> = new Map([
  ['a', { dtype: 'F32', shape: [2], data: new Float32Array([1, 2]) }],
  ['b', { dtype: 'U8', shape: [1], data: Uint8Array.of(7) }],
]);

describe('writeSafetensors', () => {
  it('writes the bytes of serializeSafetensors, with mode 0644', async () => {
    const { path } = place();
    const tensors = new Map([['a', { dtype: 'F32', shape: [2], data: new Float32Array([1, 2]) } as const]]);
    await writeSafetensors(path, tensors, [['format', 'pt']]);
    expect(readFileSync(path).equals(serializeSafetensors(tensors, [['format', 'pt']]))).toBe(true);
    if (process.platform !== 'win32') {
      expect(statSync(path).mode & 0o777).toBe(0o644);
    }
  });

  it('asks for one tensor at a time, in the order of the file', async () => {
    const { path } = place();
    const log: string[] = [];
    const lazy = (name: string): TensorInput => ({
      dtype: 'U8',
      shape: [1],
      data: async () => {
        log.push(`begin ${name}`);
        await sleep(1);
        log.push(`end ${name}`);
        return Uint8Array.of(1);
      },
    });
    await writeSafetensors(
      path,
      ['c', 'a', 'b'].map((name) => [name, lazy(name)]),
    );
    expect(log).toEqual(['a', 'b', 'c'].flatMap((name) => [`begin ${name}`, `end ${name}`]));
  });

  it('saves over the file that its tensors are read from', async () => {
    const { path } = place();
    await writeSafetensors(path, OLD);
    const file = await openSafetensors(path);
    const again = [...file.tensors.values()].map(({ name, dtype, shape }) => {
      return [`renamed.${name}`, { dtype, shape, data: () => file.readBytes(name) }] as const;
    });
    await writeSafetensors(path, again);
    expect([...(await file.readFloat32('a'))]).toEqual([1, 2]);
    await file.close();
    const replaced = await openSafetensors(path);
    expect([...(await replaced.readFloat32('renamed.a'))]).toEqual([1, 2]);
    expect(replaced.tensors.size).toBe(2);
    await replaced.close();
  });

  it('creates the folder', async () => {
    const { folder } = place();
    const path = join(folder, 'new', 'run', 'model.safetensors');
    await writeSafetensors(path, OLD);
    expect(statSync(path).isFile()).toBe(true);
  });

  it.each<[string, TensorInput['data']]>([
    ['InvalidTensor', () => new Int32Array(2)],
    ['TensorInvalidInfo', async () => new Float32Array(3)],
  ])('keeps the old file when a function gives the wrong data: %s', async (code, data) => {
    const { folder, path } = place();
    await writeSafetensors(path, OLD);
    const before = readFileSync(path);
    const wrong: [string, TensorInput] = ['z', { dtype: 'F32', shape: [2], data }];
    const error = await rejectionOf(writeSafetensors(path, [...OLD, wrong]));
    expect(error.code).toBe(code);
    expect(error.source).toBe(path);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it('lets the error of a function through', async () => {
    const { folder, path } = place();
    const failing: TensorInput = { dtype: 'U8', shape: [1], data: () => Promise.reject(new RangeError('no data')) };
    await expect(writeSafetensors(path, [['a', failing]])).rejects.toThrow(new RangeError('no data'));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('reports a target that cannot be written with code IoError', async () => {
    const { folder } = place();
    const error = await rejectionOf(writeSafetensors(folder, OLD));
    expect(error.code).toBe('IoError');
    expect(error.message).toBe(`${folder}: cannot be written: is a folder; name a file`);
  });

  it.runIf(process.platform === 'linux')('keeps the old file when the system stops taking bytes', async () => {
    const { folder, path } = place();
    await writeSafetensors(path, OLD);
    const before = readFileSync(path);
    // The limit counts blocks of 1024 bytes; writing more fails in the middle of a tensor.
    const script = 'ulimit -f 4096; exec "$0" "$1" "$2" 16 0';
    const result = spawnSync('bash', ['-c', script, process.execPath, child, path], { encoding: 'utf8' });
    expect(result.stdout).toContain('IoError');
    expect(result.stdout).toContain(
      `${path}: cannot be written: the file is larger than the system or its limits allow`,
    );
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['model.safetensors']);
  });

  it.runIf(process.platform !== 'win32')(
    'keeps the old file whole when the process is killed at any moment',
    async () => {
      const { folder, path } = place();
      await writeSafetensors(path, OLD);
      const before = readFileSync(path);
      for (const tensorsBeforeKill of [0, 1, 5, 15]) {
        const writer = spawn(process.execPath, [child, path, '16', '20'], { stdio: ['ignore', 'pipe', 'inherit'] });
        const closed = new Promise((resolve) => writer.once('close', resolve));
        let seen = 0;
        for await (const chunk of writer.stdout) {
          seen += String(chunk).split('tensor').length - 1;
          if (seen > tensorsBeforeKill) {
            writer.kill('SIGKILL');
            break;
          }
        }
        await closed;
        expect(writer.signalCode).toBe('SIGKILL');
        expect(readFileSync(path).equals(before)).toBe(true);
      }
      const rest = readdirSync(folder).filter((name) => name !== 'model.safetensors');
      expect(rest.every((name) => /^\.model\.safetensors\..*\.tmp$/.test(name))).toBe(true);
      const file = await openSafetensors(path);
      expect([...(await file.readFloat32('a'))]).toEqual([1, 2]);
      await file.close();
    },
  );
});
