import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WriteError, writeAtomically, writeFileAtomically } from '#wave/base/atomic-write.js';

const root = mkdtempSync(join(tmpdir(), 'wave-atomic-'));
let folder = root;
let path = '';
let count = 0;
beforeEach(() => {
  folder = join(root, `${count++}`);
  path = join(folder, 'target.json');
  mkdirSync(folder);
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(root, { recursive: true }));

/** Makes one method of all file handles fail as the system would. */
async function failing(method: 'write' | 'sync' | 'chmod', code: string, after = 0): Promise<void> {
  const probe = await open(root, 'r');
  const prototype: FileHandle = Object.getPrototypeOf(probe);
  await probe.close();
  const original = prototype[method];
  let calls = 0;
  vi.spyOn(prototype, method).mockImplementation(function (this: FileHandle, ...values: unknown[]) {
    if (calls++ >= after) {
      return Promise.reject(Object.assign(new Error(`${code}: made up`), { code, syscall: method }));
    }
    return Reflect.apply(original, this, values);
  });
}

describe('writeFileAtomically', () => {
  it('writes text and bytes, readable by everybody, and leaves nothing else', async () => {
    const mask = process.umask(0o077);
    try {
      await writeFileAtomically(path, 'ü');
      expect(readFileSync(path, 'utf8')).toBe('ü');
      await writeFileAtomically(path, Uint8Array.of(1, 2));
    } finally {
      process.umask(mask);
    }
    expect([...readFileSync(path)]).toEqual([1, 2]);
    expect(readdirSync(folder)).toEqual(['target.json']);
    if (process.platform !== 'win32') {
      expect(statSync(path).mode & 0o777).toBe(0o644);
    }
  });

  it('creates missing folders', async () => {
    const deep = join(folder, 'a', 'b', 'c.txt');
    await writeFileAtomically(deep, 'x');
    expect(readFileSync(deep, 'utf8')).toBe('x');
  });

  it('accepts a name of 255 bytes', async () => {
    const long = join(folder, 'ü'.repeat(127));
    await writeFileAtomically(long, 'x');
    expect(readFileSync(long, 'utf8')).toBe('x');
  });

  it('replaces the file behind a symbolic link and keeps the link', async () => {
    const link = join(folder, 'link');
    writeFileSync(path, 'old');
    symlinkSync(path, link);
    await writeFileAtomically(link, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it('refuses a folder and a path through a file', async () => {
    await expect(writeFileAtomically(folder, 'x')).rejects.toThrow(
      `${folder}: cannot be written: is a folder; name a file`,
    );
    writeFileSync(path, 'old');
    await expect(writeFileAtomically(join(path, 'x'), 'x')).rejects.toThrow(/a part of the path is a file/);
  });

  it.runIf(process.platform === 'linux')('refuses to replace a device', async () => {
    await expect(writeFileAtomically('/dev/full', 'x')).rejects.toThrow('is a device or pipe');
    expect(statSync('/dev/full').isCharacterDevice()).toBe(true);
  });

  it.runIf(process.getuid !== undefined && process.getuid() !== 0)(
    'names a folder without write permission',
    async () => {
      chmodSync(folder, 0o500);
      await expect(writeFileAtomically(path, 'x')).rejects.toThrow('permission denied');
      chmodSync(folder, 0o700);
    },
  );
});

describe('writeAtomically', () => {
  it('joins small and large pieces in order', async () => {
    const pieces = [1, 70_000, 3, (1 << 20) + 5, 0, 1 << 20, 9].map((size, i) => Buffer.alloc(size, i + 1));
    await writeAtomically(path, async (sink) => {
      const reused = Buffer.alloc(2 << 20);
      for (const piece of pieces) {
        piece.copy(reused);
        await sink.write(reused.subarray(0, piece.length));
      }
    });
    expect(readFileSync(path).equals(Buffer.concat(pieces))).toBe(true);
  });

  it('keeps the old file and removes its temporary file when the producer fails', async () => {
    writeFileSync(path, 'old');
    const write = writeAtomically(path, async (sink) => {
      await sink.write(Buffer.alloc(3 << 20));
      expect(readdirSync(folder)).toHaveLength(2);
      throw new RangeError('out of luck');
    });
    await expect(write).rejects.toThrow(new RangeError('out of luck'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['target.json']);
  });

  it.each([
    ['write', 'ENOSPC', 'the disk is full'],
    ['write', 'EDQUOT', 'quota'],
    ['sync', 'EIO', 'input/output error'],
    ['chmod', 'EPERM', 'not permitted'],
  ] as const)(
    'keeps the old file and removes its temporary file when %s fails with %s',
    async (method, code, phrase) => {
      writeFileSync(path, 'old');
      await failing(method, code, method === 'write' ? 1 : 0);
      const write = writeAtomically(path, async (sink) => {
        await sink.write(Buffer.alloc(3 << 20));
        await sink.write(Buffer.alloc(3 << 20));
      });
      const error = await write.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(WriteError);
      expect(String(error)).toContain(`${path}: cannot be written: `);
      expect(String(error)).toContain(phrase);
      expect(readFileSync(path, 'utf8')).toBe('old');
      expect(readdirSync(folder)).toEqual(['target.json']);
    },
  );

  it('writes on after the system took only a part', async () => {
    const probe = await open(root, 'r');
    const prototype: FileHandle = Object.getPrototypeOf(probe);
    await probe.close();
    const original = prototype.write;
    vi.spyOn(prototype, 'write').mockImplementation(function (this: FileHandle, ...values: unknown[]) {
      const [bytes, offset, length] = values;
      return Reflect.apply(original, this, [bytes, offset, Math.min(Number(length), 1000)]);
    });
    const content = Buffer.from(Array.from({ length: 5000 }, (_, i) => i % 251));
    await writeFileAtomically(path, content);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('does not touch the target before the content is complete', async () => {
    await writeAtomically(path, async (sink) => {
      await sink.write(Buffer.from('x'));
      expect(existsSync(path)).toBe(false);
    });
    expect(existsSync(path)).toBe(true);
  });
});
