import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dirPlace } from '../../../src/disk-places/dir-place.ts';
import { fileStem, parseSums, sumsText } from '../../../src/disk-places/files-place.ts';
import { fileOf, type MadeFile, zstdDisk } from '../../../src/disk-places/zstd-disk.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { programPath, runProgram } from '../../support/tools.ts';
import { testDisk } from './kit.ts';

const { signal } = new AbortController();

const run = async (program: string, args: readonly string[], cwd: string) => {
  const result = await runProgram(programPath(program), args, { cwd });
  return { ...result, text: `${result.stdout}${result.stderr}` };
};

describe('a disk as one zstd file', () => {
  it('has the size that was told before it was made, and unpacks to the same disk, holes included', async () => {
    const { disk, raw, folder } = await testDisk();
    const place = dirPlace(folder, { name: 'dir:out', signal });
    const file = zstdDisk('vm-x86_64-linux.raw.zst', disk);
    const staged = await place.stage([file, fileOf('vm-x86_64-linux.positions.json', Buffer.from('{}'))]);
    expect(await readdir(folder)).not.toContain(file.name);
    expect(staged.bytesSent).toBe(file.size + 2);
    const paths = await staged.finish();
    expect(paths).toEqual(
      [file.name, 'vm-x86_64-linux.positions.json', 'SHA256SUMS'].map((name) => join(folder, name)),
    );
    expect((await stat(join(folder, file.name))).size).toBe(file.size);
    expect((await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], folder)).exitCode).toBe(0);
    const { exitCode, text } = await run('zstd', ['-d', '--sparse', file.name, '-o', 'back.raw'], folder);
    expect([exitCode, text]).toEqual([0, expect.any(String)]);
    expect((await run('cmp', [raw, 'back.raw'], folder)).exitCode).toBe(0);
    const back = await stat(join(folder, 'back.raw'));
    expect(back.size).toBe(disk.size);
    expect(back.blocks * 512).toBeLessThan(disk.size / 10);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is read from any byte to any other', async () => {
    const { disk } = await testDisk();
    const file = zstdDisk('a', disk);
    const read = async (start: number, end: number): Promise<Buffer> => {
      const parts: Uint8Array[] = [];
      for await (const part of file.read(start, end)) parts.push(Buffer.from(part));
      return Buffer.concat(parts);
    };
    const whole = await read(0, file.size);
    expect(whole.length).toBe(file.size);
    for (const [start, end] of [
      [0, 1],
      [17, 100_000],
      [99_999, 250_001],
      [file.size - 5, file.size],
      [7, 7],
    ] as const) {
      expect((await read(start, end)).equals(whole.subarray(start, end)), `${start} to ${end}`).toBe(true);
    }
  });
});

describe('a folder of disks', () => {
  it('keeps the checksums of other disks, and replaces those of this one', async () => {
    const { folder } = await testDisk();
    const place = dirPlace(folder, { name: 'dir:out', signal });
    for (const text of ['first', 'second']) await (await place.stage([fileOf('a', Buffer.from(text))])).finish();
    await (await place.stage([fileOf('b', Buffer.from('b'))])).finish();
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('second');
    expect(parseSums(await readFile(join(folder, 'SHA256SUMS'), 'utf8'))).toEqual(
      new Map([
        ['a', digestOf(Buffer.from('second'))],
        ['b', digestOf(Buffer.from('b'))],
      ]),
    );
  });

  it('has nothing new where a file breaks off, or all is given up', async () => {
    const { folder } = await testDisk();
    const place = dirPlace(folder, { name: 'dir:out', signal });
    const before = await readdir(folder);
    const broken: MadeFile = {
      name: 'b',
      size: 10,
      read: async function* () {
        yield Buffer.from('12345');
        throw new Error('gone');
      },
    };
    await expect(place.stage([fileOf('a', Buffer.from('a')), broken])).rejects.toThrow('gone');
    expect(await readdir(folder)).toEqual(before);
    await (await place.stage([fileOf('a', Buffer.from('a'))])).abandon();
    expect(await readdir(folder)).toEqual(before);
  });

  it('is refused before anything is written where there is no room, or no folder can be', async () => {
    const { folder } = await testDisk();
    const huge: MadeFile = { name: 'a', size: 2 ** 52, read: async function* () {} };
    const place = dirPlace(join(folder, 'new'), { name: 'dir:new', signal });
    await expect(place.stage([huge])).rejects.toThrow(/no space left in .*new: 4503.6 TB are needed, and .* are free/);
    await writeFile(join(folder, 'file'), '');
    const file = dirPlace(join(folder, 'file'), { name: 'dir:file', signal });
    await expect(file.stage([])).rejects.toThrow(expect.objectContaining({ code: 'file' }));
  });
});

describe('the names of files', () => {
  it('are those that GitHub leaves as they are', () => {
    expect(fileStem('team/vm.small', 'aarch64-linux')).toBe('team-vm.small-aarch64-linux');
  });

  it('stand in checksums as sha256sum has them', () => {
    const sums = new Map([
      ['b', digestOf(Buffer.from('b'))],
      ['a', digestOf(Buffer.from('a'))],
    ]);
    const text = sumsText(sums, ['cat a b']);
    expect(text).toMatch(/^# cat a b\n[0-9a-f]{64} {2}a\n[0-9a-f]{64} {2}b\n$/);
    expect(parseSums(`${text}nonsense\n${'0'.repeat(64)}  ../a\n`)).toEqual(sums);
  });
});
