import { describe, expect, test } from 'vitest';
import { diskDefinitionSchema } from '../../../src/definition/disk-definition.ts';
import { diskKey } from '../../../src/definition/disk-key.ts';
import { isImageKey } from '../../../src/definition/image-key.ts';
import { bootFileOf } from '../../../src/oci/efi.ts';
import { diskDefinition, leastDisk, storePath } from './disks.ts';

/** What the schema says of a disk with these changes, a line each. */
const problems = (change: object): string[] => {
  const parsed = diskDefinitionSchema.safeParse({ ...leastDisk, ...change });
  return parsed.error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
};

const bootFiles = { '/EFI/BOOT/BOOTX64.EFI': { type: 'source', source: `${storePath('b')}/systemd-bootx64.efi` } };

test('a disk has three partitions, a size to fit, and a store that Nix knows of', () => {
  const { partitions, sizeGiB, registration, verity, bootMode } = diskDefinition();
  expect(partitions).toEqual({
    esp: { sizeMiB: 128 },
    store: { label: 'nix-store', sizeMiB: null, windowPercent: 150 },
    root: { label: 'nixos', sizeMiB: 256 },
  });
  expect({ sizeGiB, registration, verity, bootMode }).toEqual({
    sizeGiB: null,
    registration: true,
    verity: false,
    bootMode: 'uefi',
  });
});

test.each([
  ['loader files with the file that firmware starts', { boot: { loader: 'files' }, espFiles: bootFiles }],
  ['files beside the kernel image', { espFiles: { '/loader/loader.conf': { type: 'text', text: 'timeout 3\n' } } }],
])('takes %s', (_what, change) => {
  expect(problems(change)).toEqual([]);
});

test.each([
  ['no system', { system: undefined }, 'system: '],
  ['another system', { system: 'riscv64-linux' }, 'system: '],
  ['nothing to boot into', { storeRoots: [] }, 'storeRoots: '],
  ['a command line of two lines', { boot: { ...leastDisk.boot, cmdline: 'a\nb' } }, 'boot.cmdline: expected one line'],
  ['a path that leaves the store', { tools: { ...leastDisk.tools, mtools: '/usr/bin/mtools' } }, 'tools.mtools: '],
  [
    'a kernel of no root',
    { boot: { ...leastDisk.boot, kernel: `${storePath('f')}/x` } },
    'boot.kernel: /nix/store/fff',
  ],
  ['a store path of no root', { storeRoots: [storePath('f')] }, 'storeRoots.0: /nix/store/fff'],
  ['an ESP too small for FAT32', { partitions: { esp: { sizeMiB: 32 } } }, 'partitions.esp.sizeMiB: '],
  ['one label twice', { partitions: { root: { label: 'nix-store' } } }, 'partitions: store and root need different'],
  ['a label too long', { partitions: { root: { label: 'a-label-too-long-by-far' } } }, 'partitions.root.label: '],
  ['a boot file beside a kernel image', { espFiles: bootFiles }, 'espFiles: /EFI/BOOT/BOOTX64.EFI is the unified'],
  [
    'files without a boot file',
    { boot: { loader: 'files' } },
    'espFiles: the loader files needs /EFI/BOOT/BOOTX64.EFI',
  ],
  [
    'one file in two ways of writing it',
    { espFiles: { '/a': { type: 'text', text: '' }, '/A': { type: 'text', text: '' } } },
    'espFiles: /a and /A are one file on FAT',
  ],
  ['a name that FAT cannot hold', { espFiles: { '/a:b': { type: 'text', text: '' } } }, 'espFiles./a:b: '],
  ['a file outside of the ESP', { espFiles: { '/../a': { type: 'text', text: '' } } }, 'espFiles./../a: '],
  [
    'verity without a kernel image',
    { boot: { loader: 'files' }, espFiles: bootFiles, verity: true },
    'verity: the root',
  ],
  ['no ukify', { tools: { ...leastDisk.tools, ukify: null } }, 'tools.ukify: a unified kernel image needs ukify'],
  ['a size of nothing', { sizeGiB: 0 }, 'sizeGiB: '],
  ['a field of images', { copyToRoot: [] }, ': Unrecognized key: "copyToRoot"'],
])('refuses %s', (_what, change, message) => {
  const said = problems(change);
  expect(
    said.some((line) => line.startsWith(message)),
    said.join('\n'),
  ).toBe(true);
});

test('firmware looks for one file an architecture', () => {
  expect(bootFileOf('x86_64-linux')).toBe('/EFI/BOOT/BOOTX64.EFI');
  expect(bootFileOf('aarch64-linux')).toBe('/EFI/BOOT/BOOTAA64.EFI');
});

describe('the key of a disk', () => {
  const key = (change: object = {}): string => diskKey(diskDefinition(change));

  test('is written as that of an image', () => {
    expect(isImageKey(key())).toBe(true);
  });

  test.each([
    ['tag', { tag: 'v2' }],
    ['a test', { tests: { boots: { prompt: true } } }],
    ['the system that builds it', { buildSystem: 'aarch64-linux' }],
    ['the order of roots', { roots: [...leastDisk.roots].reverse() }],
    ['another derivation', { roots: leastDisk.roots.map((root) => ({ ...root, drvPath: storePath('f', 'x.drv') })) }],
  ])('does not change with %s', (_what, change) => {
    expect(key(change)).toBe(key());
  });

  test.each([
    ['the name, from which UUIDs follow', { name: 'team/other' }],
    ['the system', { system: 'aarch64-linux' }],
    ['a root', { roots: [...leastDisk.roots, { ...leastDisk.roots[0], outPath: storePath('f') }] }],
    ['what is in the store', { storeRoots: [storePath('a'), storePath('b')] }],
    ['the command line', { boot: { ...leastDisk.boot, cmdline: 'quiet' } }],
    ['a tool', { tools: { ...leastDisk.tools, mtools: `${storePath('b')}/bin/mtools` } }],
    ['a file of the ESP', { espFiles: { '/a': { type: 'text', text: '' } } }],
    ['a partition', { partitions: { store: { windowPercent: 200 } } }],
    ['verity', { verity: true }],
    ['the registration', { registration: false }],
    ['the size', { sizeGiB: 8 }],
    ['an annotation', { annotations: { note: 'x' } }],
  ])('changes with %s', (_what, change) => {
    expect(key(change)).not.toBe(key());
  });
});
