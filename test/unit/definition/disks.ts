import { type DiskDefinition, diskDefinitionSchema } from '../../../src/definition/disk-definition.ts';

// Definitions of disks for tests, made of store paths that are nowhere.

export const storePath = (letter: string, name = 'thing'): string => `/nix/store/${letter.repeat(32)}-${name}`;

const rootOf = (outPath: string) => ({ drvPath: storePath('d', 'thing.drv'), output: 'out', outPath });

/** The least that a disk says. */
export const leastDisk = {
  schemaVersion: 1,
  kind: 'disk',
  name: 'team/server',
  system: 'x86_64-linux',
  roots: ['a', 'b', 'c'].map((letter) => rootOf(storePath(letter))),
  storeRoots: [storePath('a')],
  boot: {
    loader: 'uki',
    kernel: `${storePath('a')}/bzImage`,
    cmdline: 'console=ttyS0',
    osRelease: 'ID=nixos\n',
    stub: `${storePath('b')}/linuxx64.efi.stub`,
  },
  tools: {
    mkfsVfat: `${storePath('c')}/bin/mkfs.vfat`,
    mtools: `${storePath('c')}/bin/mtools`,
    mkfsExt4: `${storePath('c')}/bin/mkfs.ext4`,
    ukify: `${storePath('c')}/bin/ukify`,
  },
} as const;

export const diskDefinition = (change: object = {}): DiskDefinition =>
  diskDefinitionSchema.parse({ ...leastDisk, ...change });
