import { readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dirPlace } from '../../../src/disk-places/dir-place.ts';
import { fileStem, parseSums, sumsText } from '../../../src/disk-places/files-place.ts';
import { fileOf, type MadeFile, zstdDisk } from '../../../src/disk-places/zstd-disk.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { programPath, runProgram } from '../../support/tools.ts';
import { testDisk } from './kit.ts';

const { signal } = new AbortController();
/** Where there is room. */
const free = async (): Promise<number> => 1e12;

const run = async (program: string, args: readonly string[], cwd: string) => {
  const result = await runProgram(programPath(program), args, { cwd });
  return { ...result, text: `${result.stdout}${result.stderr}` };
};

describe('a disk as one zstd file', () => {
  it('has the size that was told before it was made, and unpacks to the same disk, holes included', async () => {
    const { disk, raw, folder } = await testDisk();
    const place = dirPlace(folder, { name: 'dir:out', signal, free });
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
    const place = dirPlace(folder, { name: 'dir:out', signal, free });
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

  it('takes away what a disk has no longer, and its line', async () => {
    const { folder } = await testDisk();
    const place = dirPlace(folder, { name: 'dir:out', signal, free });
    const old = ['vm.raw.zst', 'vm.positions.json', 'other.positions.json'].map((name) =>
      fileOf(name, Buffer.from(name)),
    );
    await (await place.stage(old)).finish();
    const staged = await place.stage(old.slice(0, 1), ['vm.positions.json']);
    expect(await readdir(folder)).toContain('vm.positions.json');
    expect((await staged.finish()).map((path) => basename(path))).toEqual(['vm.raw.zst', 'SHA256SUMS']);
    const left = ['other.positions.json', 'vm.raw.zst'];
    expect((await readdir(folder)).sort()).toEqual(['SHA256SUMS', 'disk.raw', ...left]);
    expect([...parseSums(await readFile(join(folder, 'SHA256SUMS'), 'utf8')).keys()].sort()).toEqual(left);
    await (await place.stage(old.slice(0, 1), ['vm.positions.json'])).finish();
  });

  it('lists nothing that is not there, wherever it is stopped between two renames, and is put right by the next run', async () => {
    const { folder } = await testDisk();
    const files = (build: string) => ['a', 'b'].map((name) => fileOf(name, Buffer.from(`${name} of ${build}`)));
    const sums = async () => parseSums(await readFile(join(folder, 'SHA256SUMS'), 'utf8'));
    const put = async (build: string, move = rename): Promise<unknown> =>
      (await dirPlace(folder, { name: 'dir:out', signal, free, rename: move }).stage(files(build))).finish();
    await (
      await dirPlace(folder, { name: 'dir:out', signal, free }).stage([fileOf('other', Buffer.from('o'))])
    ).finish();
    await put('0');
    const listed: string[][] = [];
    for (let last = 0; last < 4; last += 1) {
      let renames = 0;
      const stopping: typeof rename = async (from, to) => {
        if (renames === last) throw new Error('stopped');
        renames += 1;
        await rename(from, to);
      };
      await expect(put(`1-${last}`, stopping)).rejects.toThrow('stopped');
      const found = await sums();
      listed.push([...found.keys()].sort());
      for (const [name, digest] of found) expect(digestOf(await readFile(join(folder, name))), name).toBe(digest);
      await put(`2-${last}`);
      expect([...(await sums()).keys()].sort()).toEqual(['a', 'b', 'other']);
      expect(await readFile(join(folder, 'b'), 'utf8')).toBe(`b of 2-${last}`);
    }
    expect(listed).toEqual([['a', 'b', 'other'], ['other'], ['other'], ['other']]);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is put right after a process that was killed between two renames, whose lock and files are removed', async () => {
    const { folder } = await testDisk();
    const source = (name: string) => JSON.stringify(new URL(`../../../src/disk-places/${name}`, import.meta.url).href);
    // Its own process is killed in the second rename: after the lines have gone, before the first file is there.
    const program = `
      import { rename } from 'node:fs/promises';
      const { dirPlace } = await import(${source('dir-place.ts')});
      const { fileOf } = await import(${source('zstd-disk.ts')});
      const place = (move) => dirPlace(process.argv[1], { name: 'dir:out', signal: new AbortController().signal, free: async () => 1e12, rename: move });
      const put = async (build, move) =>
        (await place(move).stage(['a', 'b'].map((name) => fileOf(name, Buffer.from(name + build))))).finish();
      await put('1', rename);
      let renames = 0;
      await put('2', async (from, to) => {
        renames += 1;
        if (renames === 3) process.kill(process.pid, 'SIGKILL');
        await rename(from, to);
      });`;
    const killed = await runProgram(process.execPath, ['--input-type=module', '--eval', program, folder]);
    expect(killed.exitCode).not.toBe(0);
    expect([await readFile(join(folder, 'a'), 'utf8'), await readFile(join(folder, 'b'), 'utf8')]).toEqual([
      'a2',
      'b1',
    ]);
    expect(await readFile(join(folder, 'SHA256SUMS'), 'utf8')).toBe('');
    const hidden = (await readdir(folder)).filter((name) => name.startsWith('.'));
    expect(hidden).toContain('.nix-images.lock');
    // As if it were of two days before.
    const before = Date.now() / 1000 - 2 * 24 * 3600;
    for (const name of hidden) await utimes(join(folder, name), before, before);
    const place = dirPlace(folder, { name: 'dir:out', signal, free });
    await (await place.stage(['a', 'b'].map((name) => fileOf(name, Buffer.from(`${name}3`))))).finish();
    expect((await run('sha256sum', ['--check', '--strict', 'SHA256SUMS'], folder)).exitCode).toBe(0);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('has nothing new where a file breaks off, or all is given up', async () => {
    const { folder } = await testDisk();
    const place = dirPlace(folder, { name: 'dir:out', signal, free });
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
    const place = dirPlace(join(folder, 'new'), { name: 'dir:new', signal, free });
    await expect(place.stage([huge])).rejects.toThrow(
      /^no space for a: 4503.6 TB are needed at .*new, where .* are free$/,
    );
    await writeFile(join(folder, 'file'), '');
    const file = dirPlace(join(folder, 'file'), { name: 'dir:file', signal, free });
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
