import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { qcow2File } from '../../../src/disk/qcow2-writer.ts';
import { containerDiskKey, writeContainerDisk } from '../../../src/disk-places/container-disk.ts';
import type { ChunkedDisk } from '../../../src/disk-places/zstd-disk.ts';
import { NO_ORIGIN } from '../../../src/oci/origin.ts';
import { parseImageManifest } from '../../../src/oci/read-manifest.ts';
import { LayoutRepository } from '../../../src/storage/layout/layout-repository.ts';
import { LayoutSource } from '../../../src/storage/layout/layout-source.ts';
import { readConfig } from '../../../src/storage/read-config.ts';
import { qemuImg } from '../../support/disks.ts';
import { programPath, runProgram } from '../../support/tools.ts';
import { testDeps } from '../storage/kit.ts';
import { type TestDisk, testDisk } from './kit.ts';

const { signal } = new AbortController();
const KEY = 'a'.repeat(64);

let made: TestDisk;

beforeEach(async () => {
  made = await testDisk();
});

const at = (name: string): string => join(made.folder, name);

const store = async (disk: ChunkedDisk, folder: string) => {
  const repository = new LayoutRepository(at(folder), testDeps());
  const image = {
    name: 'vm',
    system: 'aarch64-linux',
    disk,
    key: KEY,
    annotations: { a: 'b' },
    origin: NO_ORIGIN,
  } as const;
  const manifest = await writeContainerDisk(image, [repository], { signal });
  await repository.tag('v1', manifest);
  await repository.commit();
  return manifest;
};

const untar = async (...args: readonly string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await runProgram(programPath('tar'), args);
  expect([exitCode, stderr]).toEqual([0, '']);
  return stdout;
};

describe('a disk as an image for KubeVirt', () => {
  it('is one read-only qcow2 of qemu in one layer, of the same content and without its holes', async () => {
    const manifest = await store(made.disk, 'out');
    const source = new LayoutSource(at('out'));
    const { layers, config, annotations } = parseImageManifest(manifest);
    const [layer] = layers;
    if (!layer || layers.length !== 1) throw new Error('not one layer');
    expect(await readConfig(source, config, 'it')).toMatchObject({ architecture: 'arm64', os: 'linux', config: {} });
    expect(annotations).toMatchObject({ a: 'b', 'io.nix-images.image.key': containerDiskKey(KEY) });
    const blob = at(`out/blobs/sha256/${layer.digest.slice('sha256:'.length)}`);
    const list = await untar('--list', '--verbose', '--numeric-owner', '--gzip', '--file', blob);
    expect(list.split('\n').map((line) => line.replace(/ +\d+ \d{4}-.*? (?=disk)/, ' '))).toEqual([
      'dr-xr-xr-x 107/107 disk/',
      '-r--r----- 107/107 disk/vm.qcow2',
      '',
    ]);
    await untar(
      '--extract',
      '--gzip',
      '--file',
      blob,
      '--directory',
      made.folder,
      '--no-same-permissions',
      '--mode=u+w',
    );
    expect(await qemuImg('check', '-f', 'qcow2', at('disk/vm.qcow2'))).toContain('No errors were found');
    expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', at('disk/vm.qcow2'), made.raw)).toContain('identical');
    const info = JSON.parse(await qemuImg('info', '--output=json', at('disk/vm.qcow2')));
    // Of 64 MiB, about 1 MiB is data.
    expect(info).toMatchObject({ 'virtual-size': made.disk.size, 'format-specific': { data: { compat: '1.1' } } });
    expect(Number(list.match(/107 +(\d{4,})/)?.[1])).toBeLessThan(2 * 1024 * 1024);
  });

  it('is the same each time, whichever way its chunks come', async () => {
    const { chunks } = made.disk;
    const slow: ChunkedDisk = {
      ...made.disk,
      async *readBlob(descriptor) {
        for await (const bytes of made.disk.readBlob(descriptor))
          for (let from = 0; from < bytes.length; from += 777) yield bytes.subarray(from, from + 777);
      },
    };
    expect((await store(slow, 'b')).digest).toBe((await store(made.disk, 'a')).digest);
    expect(containerDiskKey(KEY)).not.toBe(containerDiskKey('b'.repeat(64)));
    expect(chunks.length).toBeGreaterThan(3);
  });

  it.each<[string, (disk: ChunkedDisk) => ChunkedDisk, RegExp]>([
    [
      'is cut off',
      (disk) => ({
        ...disk,
        async *readBlob(descriptor) {
          for await (const bytes of disk.readBlob(descriptor)) yield bytes.subarray(0, bytes.length - 3);
        },
      }),
      /the chunk sha256:\S+ of the disk \(byte 0\) cannot be unpacked/,
    ],
    [
      'has another length than it says',
      (disk) => ({
        ...disk,
        chunks: disk.chunks.map((chunk, index) => (index === 3 ? { ...chunk, length: 8192 } : chunk)),
      }),
      /the chunk sha256:\S+ of the disk \(byte 41955328\) does not unpack to 8192 bytes/,
    ],
  ])('is refused where a chunk %s', async (_, change, says) => {
    await expect(store(change(made.disk), 'out')).rejects.toThrow(says);
  });
});

describe('a qcow2 file', () => {
  const write = async (size: number, extents: readonly { offset: number; length: number }[]): Promise<string> => {
    const file = qcow2File(size, extents);
    const parts: Buffer[] = [];
    const content = async function* () {
      for (const { length, offset } of extents) yield Buffer.alloc(length, (offset % 251) + 1);
    };
    for await (const part of file.write(content())) parts.push(Buffer.from(part));
    const bytes = Buffer.concat(parts);
    expect(bytes.length).toBe(file.size);
    await writeFile(at('disk.qcow2'), bytes);
    return at('disk.qcow2');
  };

  it.each<[string, number, { offset: number; length: number }[]]>([
    ['nothing', 1024 ** 3, []],
    [
      'a first and a last sector of a size that is not whole clusters',
      10 * 1024 ** 2 + 512,
      [
        { offset: 0, length: 512 },
        { offset: 10 * 1024 ** 2, length: 512 },
      ],
    ],
    [
      'several extents in one cluster, and one over two',
      1024 ** 2,
      [
        { offset: 4096, length: 4096 },
        { offset: 12_288, length: 4096 },
        { offset: 61_440, length: 8192 },
      ],
    ],
    [
      'data far apart, in tables of their own',
      2 * 1024 ** 4,
      [
        { offset: 5 * 1024 ** 3, length: 65_536 },
        { offset: 1024 ** 4, length: 4096 },
      ],
    ],
  ])('of %s has no errors, and the content', async (_, size, extents) => {
    const path = await write(size, extents);
    expect(await qemuImg('check', '-f', 'qcow2', path)).toContain('No errors were found');
    const info = JSON.parse(await qemuImg('info', '--output=json', path));
    expect(info['virtual-size']).toBe(size);
    const map = JSON.parse(await qemuImg('map', '--output=json', path)) as {
      start: number;
      length: number;
      data: boolean;
    }[];
    const clusters = new Set(
      extents.flatMap(({ offset, length }) => [
        Math.floor(offset / 65_536),
        Math.floor((offset + length - 1) / 65_536),
      ]),
    );
    expect(map.filter(({ data }) => data).reduce((sum, { length }) => sum + Math.ceil(length / 65_536), 0)).toBe(
      clusters.size,
    );
    for (const { offset, length } of extents) {
      const args = ['-f', 'qcow2', '-c', `read -P ${(offset % 251) + 1} ${offset} ${length}`, path];
      const { stdout, stderr } = await runProgram(programPath('qemu-io'), args);
      expect(stdout + stderr).not.toMatch(/Pattern verification failed/);
      expect(stdout).toContain(`read ${length}/${length} bytes`);
    }
  });

  it('refuses content that does not fit its extents', async () => {
    const take = async (content: Buffer): Promise<void> => {
      for await (const _ of qcow2File(65_536, [{ offset: 0, length: 512 }]).write([content] as never));
    };
    await expect(take(Buffer.alloc(511))).rejects.toThrow('fewer bytes');
    await expect(take(Buffer.alloc(513))).rejects.toThrow('more bytes');
  });
});
