import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DiskDefinition } from '../../../src/definition/disk-definition.ts';
import { evaluateImages } from '../../../src/nix/evaluate.ts';
import { fileInstallable } from '../../../src/nix/installable.ts';
import type { Nix } from '../../../src/nix/nix.ts';
import type { System } from '../../../src/oci/system.ts';
import { nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { ARM, X86 } from '../../support/systems.ts';
import { runProgram } from '../../support/tools.ts';
import { REPOSITORY } from './fixture.ts';

// nixpkgs cannot be had here: NixOS systems are those of test/fixtures/nixos.
const FIXTURE = join(REPOSITORY, 'test/fixtures/nixos');

/** The disk of that name in test/fixtures/nixos/disks.nix, as the program reads it. */
async function disk(nix: Nix, name: string, system: System = X86): Promise<DiskDefinition> {
  const installable = fileInstallable(join(FIXTURE, 'disks.nix'), name);
  const found = await (await evaluateImages(nix, installable, { systems: [system] })).foundFor(system);
  if (found.kind !== 'disk') throw new Error(`${name} is no disk`);
  return found.disk;
}

/** Without hashes, which change with every word of a fixture. */
const bare = (path: string): string => path.replaceAll(/\/nix\/store\/[0-9a-z]{32}-/g, '');

const rootNames = ({ roots }: DiskDefinition): string[] => roots.map(({ outPath }) => bare(outPath)).sort();

describe.each(nixVersionsUnderTest().map((version) => [version.label, version] as const))('%s', (_label, version) => {
  test('a NixOS system is a disk as it is: kernel image, store, tools, and a login prompt as its test', async () => {
    const nix = await openNixUnderTest(version);
    const ec2 = await disk(nix, 'ec2');
    const { boot, tools } = ec2;
    if (boot.loader !== 'uki') throw new Error(boot.loader);
    expect({ name: ec2.name, system: ec2.system, buildSystem: ec2.buildSystem, verity: ec2.verity }).toEqual({
      name: 'server',
      system: X86,
      buildSystem: X86,
      verity: false,
    });
    expect(bare(boot.cmdline)).toBe(
      'init=nixos-system-test/init console=ttyS0,115200n8 nvme_core.io_timeout=4294967295 panic=30',
    );
    expect([boot.kernel, boot.initrd ?? '', boot.stub].map(bare)).toEqual([
      'linux-6.18/bzImage',
      'initrd-linux-6.18/initrd',
      'systemd-258/lib/systemd/boot/efi/linuxx64.efi.stub',
    ]);
    expect(boot).toMatchObject({ uname: '6.18.3', osRelease: 'ID=nixos\nVERSION_ID="26.05"\n' });
    expect(Object.values(tools).map((tool) => bare(tool ?? ''))).toEqual([
      'dosfstools-4.2/bin/mkfs.vfat',
      'mtools-4.0.49/bin/mtools',
      'e2fsprogs-1.47-bin/bin/mkfs.ext4',
      'systemd-ukify-258/bin/ukify',
    ]);
    // Tools and boot files are roots, and only the system is in the store of the disk.
    expect(ec2.storeRoots.map(bare)).toEqual(['nixos-system-test']);
    expect(rootNames(ec2)).toEqual([
      'dosfstools-4.2',
      'e2fsprogs-1.47-bin',
      'initrd-linux-6.18',
      'linux-6.18',
      'mtools-4.0.49',
      'nixos-system-test',
      'systemd-258',
      'systemd-ukify-258',
    ]);
    expect(ec2.roots.every(({ drvPath }) => drvPath?.endsWith('.drv'))).toBe(true);
    expect(ec2.tests).toMatchObject({ boots: { prompt: true, commands: [] } });
  });

  test('where a disk is, an image is not', async () => {
    const nix = await openNixUnderTest(version);
    const installable = fileInstallable(join(FIXTURE, 'disks.nix'), 'ec2');
    const images = await evaluateImages(nix, installable, { systems: [X86] });
    await expect(images.imageFor(X86)).rejects.toThrow('ec2 is the disk image server, not a container image');
  });
});

const [own] = nixVersionsUnderTest();
if (!own) throw new Error('no Nix');

test('a system that is rebuilt has systemd-boot with the entry of its first generation, as NixOS names it', async () => {
  const rebuildable = await disk(await openNixUnderTest(own), 'rebuildable');
  expect(rebuildable.boot).toEqual({ loader: 'files' });
  const paths = Object.keys(rebuildable.espFiles).map((path) => path.replaceAll(/[0-9a-z]{32}-/g, 'HASH-'));
  expect(paths.sort()).toEqual([
    '/EFI/BOOT/BOOTX64.EFI',
    '/EFI/nixos/HASH-initrd-linux-6.18-initrd.efi',
    '/EFI/nixos/HASH-linux-6.18-bzImage.efi',
    '/EFI/systemd/systemd-bootx64.efi',
    '/loader/entries/nixos-generation-1.conf',
    '/loader/loader.conf',
  ]);
  const text = (path: string): string => {
    const file = rebuildable.espFiles[path];
    return file?.type === 'text' ? file.text : '';
  };
  expect(text('/loader/loader.conf')).toBe('timeout 1\ndefault nixos-generation-1.conf\nconsole-mode keep\n');
  const entry = text('/loader/entries/nixos-generation-1.conf').split('\n');
  expect(entry.slice(0, 3)).toEqual(['title NixOS', 'sort-key nixos', 'version Generation 1 NixOS 26.05']);
  const kernel = entry[3]?.replace('linux ', '') ?? '';
  expect(rebuildable.espFiles[kernel]).toMatchObject({ type: 'source' });
  expect(bare(entry[5] ?? '')).toBe('options init=nixos-system-test/init ');
  expect(rebuildable).toMatchObject({
    name: 'team/rebuildable',
    tag: '1.0',
    sizeGiB: 8,
    registration: false,
    partitions: { esp: { sizeMiB: 512 }, store: { windowPercent: 200, label: 'nix-store' } },
    annotations: { note: 'x' },
    tools: { ukify: null },
    tests: {
      serves: {
        console: [{ contains: 'Welcome' }],
        never: [{ matches: '^Kernel panic' }],
        commands: [
          { command: ['uname', '-r'], exitCode: 0, output: null },
          { command: ['systemctl', 'is-system-running'], exitCode: 1, output: { contains: 'degraded' } },
        ],
        login: { user: 'root', password: null },
        port: { number: 22 },
        diskGiB: 16,
      },
    },
  });
});

test('dm-verity, labels and what a system does without follow from its options', async () => {
  const guarded = await disk(await openNixUnderTest(own), 'guarded');
  expect(guarded).toMatchObject({
    verity: true,
    boot: { loader: 'uki', verityArgument: 'storehash' },
    registration: false,
    partitions: { root: { label: 'data' } },
    tests: {},
  });
});

test('a cross-compiled system boots on one architecture, and tools run on the other', async () => {
  const crossed = await disk(await openNixUnderTest(own), 'crossed', ARM);
  const { boot, tools } = crossed;
  if (boot.loader !== 'uki') throw new Error(boot.loader);
  expect({ name: crossed.name, system: crossed.system, buildSystem: crossed.buildSystem }).toEqual({
    name: 'crossed',
    system: ARM,
    buildSystem: X86,
  });
  expect(bare(boot.kernel)).toBe('linux-6.18-aarch64-linux/Image');
  expect(bare(boot.stub)).toBe('systemd-258-aarch64-linux/lib/systemd/boot/efi/linuxaa64.efi.stub');
  expect(boot.cmdline).toContain('console=ttyAMA0,115200n8 console=ttyS0,115200n8');
  expect(bare(tools.mtools)).toBe('mtools-4.0.49/bin/mtools');
});

test('anything else is a disk by its parts; what the kernel is told of is in the store', async () => {
  const nix = await openNixUnderTest(own);
  const parts = await disk(nix, 'parts');
  expect(parts.storeRoots.map(bare).sort()).toEqual(['nix-2.34', 'nixos-system-test']);
  expect(parts.tests).toEqual({});
  expect(parts.boot).toMatchObject({ loader: 'uki', initrd: null, uname: null });
  const plain = await disk(nix, 'plain');
  expect(plain.storeRoots.map(bare)).toEqual(['curl-8']);
  expect(plain.roots.find(({ outPath }) => outPath === plain.storeRoots[0])).toMatchObject({ drvPath: null });
  expect(plain.espFiles['/mtools']).toMatchObject({ type: 'source' });
  expect(plain.espFiles['/loader/keys.txt']).toEqual({ type: 'text', text: 'none' });
});

const REFUSED: readonly (readonly [string, string])[] = [
  ['{ }', 'mkDisk: nothing to boot: give a NixOS system as nixos, or boot.kernel'],
  ['{ boot.kernel = pkgs.linux; name = "x"; }', 'is missing: give it, or a NixOS system as nixos'],
  ['{ nixso = { }; }', "mkDisk: unknown argument 'nixso', did you mean 'nixos'?"],
  [
    '{ nixos = pkgs.system; }',
    'mkDisk: nixos: expected a NixOS system such as self.nixosConfigurations.server, got the derivation nixos-system-test',
  ],
  [
    '{ inherit pkgs; config = { }; diskSize = "auto"; partitionTableType = "efi"; copyChannel = true; memSize = 1; nixso = 1; name = "ghcr.io/org/a"; }',
    'mkDisk: some arguments are written in another way here: name: leave the registry ghcr.io out and write "org/a"; the destination (--to) says where an image goes config: write nixos = self.nixosConfigurations.server',
  ],
  [
    '{ diskSize = 4; nixso = 1; }',
    "diskSize: write sizeGiB, in GiB, or leave it out for the least that fits nixso: is unknown, did you mean 'nixos'?",
  ],
  ['{ nixos = { }; }', 'got a set without config and pkgs'],
  ['parts // { name = null; }', "mkDisk: 'name' is missing"],
  ['parts // { system = "riscv64-linux"; }', 'mkDisk: system: riscv64-linux is not one of x86_64-linux, aarch64-linux'],
  ['parts // { loader = "grub"; }', 'mkDisk: loader: expected "uki" or "systemd-boot", got "grub"'],
  ['parts // { boot.kernl = ""; }', "mkDisk: boot: unknown field 'kernl', did you mean 'kernel'?"],
  [
    'parts // { boot = parts.boot // { kernel = "/boot/vmlinuz"; }; }',
    "mkDisk: boot.kernel: '/boot/vmlinuz' is not in the store",
  ],
  [`parts // { store = [ "\${pkgs.system}/etc" ]; }`, 'is not a whole store path'],
  [
    'parts // { partitions.root.size = 1; }',
    "mkDisk: partitions.root: unknown field 'size'. Known are: sizeMiB, label.",
  ],
  [
    'parts // { espFiles."loader.conf".text = ""; }',
    'the path must be absolute, as the EFI system partition has it: "/loader.conf"',
  ],
  ['parts // { espFiles."/a" = "b"; }', 'a string can mean two things'],
  ['parts // { tests.boots.comand = [ ]; }', "mkDisk: tests.boots: unknown field 'comand', did you mean 'commands'?"],
  ['parts // { tests.boots.commands = "uname"; }', 'expected a list of commands such as'],
  [
    'parts // { pkgs = null; tools = { }; boot = parts.boot // { stub = parts.boot.kernel; }; system = "x86_64-linux"; }',
    "mkDisk: 'tools.mkfsExt4' is missing: give it, or pkgs, whose packages have it",
  ],
];

test.each(REFUSED)('mkDisk %s is refused', async (argument, message) => {
  const expression = `
    let
      pkgs = import ${FIXTURE}/pkgs.nix { system = "x86_64-linux"; };
      inherit (import ${REPOSITORY}/nix { }) lib;
      parts = {
        name = "parts"; inherit pkgs; store = [ pkgs.system ];
        boot = { kernel = "\${pkgs.linux}/bzImage"; cmdline = "quiet"; osRelease = ""; };
      };
    in lib.mkDisk (${argument})`;
  const words = ['--eval', '--strict', '--json', '--expr', expression];
  const { exitCode, stderr } = await runProgram('nix-instantiate', words, { env: { NIX_CONFIG: TEST_NIX_CONFIG } });
  expect(exitCode).toBe(1);
  expect(stderr.replaceAll(/\s+/g, ' ')).toContain(message);
});

/** Changes of a system that boots, and what mkDisk says of it. */
const PROBLEMS: readonly (readonly [string, string | null])[] = [
  ['{ }', null],
  [
    '{ fileSystems."/".fsType = lib.mkForce "xfs"; }',
    'fileSystems."/".fsType: is "xfs", and the root of a disk is made as ext4',
  ],
  [
    '{ fileSystems."/".device = lib.mkForce "/dev/sda1"; }',
    'fileSystems."/".device: is "/dev/sda1", and the root\'s label is nixos',
  ],
  ['{ fileSystems."/".enable = false; }', 'fileSystems."/": is missing'],
  [
    '{ fileSystems."/nix/.ro-store".enable = false; }',
    'fileSystems: none is the store, an EROFS with the label nix-store',
  ],
  [
    '{ fileSystems."/nix/.ro-store".neededForBoot = lib.mkForce false; }',
    'fileSystems."/nix/.ro-store".neededForBoot: is false',
  ],
  [
    '{ fileSystems."/nix/store".enable = false; }',
    'fileSystems."/nix/store": is missing, and the store is mounted elsewhere',
  ],
  ['{ boot.loader.grub.enable = true; }', 'boot.loader.grub.enable: is true, and disks boot by UEFI'],
  [
    '{ boot.loader.generic-extlinux-compatible.enable = true; }',
    'boot.loader.generic-extlinux-compatible.enable: is true',
  ],
  ['{ boot.isContainer = true; }', 'boot.isContainer: is true, so the system has no kernel'],
  [
    '{ disk.loader = "systemd-boot"; boot.initrd.secrets."/key" = "/etc/key"; }',
    'boot.initrd.secrets: has /key, which only an installation adds to the initrd',
  ],
  ['{ boot.initrd.enable = false; }', 'boot.initrd.enable: is false'],
  [
    '{ disk.loader = "systemd-boot"; boot.loader.efi.efiSysMountPoint = "/boot/efi"; }',
    'fileSystems."/boot/efi": is missing, and systemd-boot looks there (boot.loader.efi.efiSysMountPoint); the one vfat is at /boot',
  ],
  [
    '{ disk.loader = "systemd-boot"; fileSystems."/boot".device = "/dev/sda1"; }',
    'fileSystems."/boot".device: is "/dev/sda1"',
  ],
  ['{ disk.loader = "systemd-boot"; fileSystems."/boot".fsType = "ext4"; }', 'fileSystems."/boot".fsType: is "ext4"'],
];

test('all that keeps a system from booting is told at once, option by option, before anything is built', async () => {
  const problemsOf = (modules: string, more = ''): string =>
    `(let s = import ${FIXTURE} { modules = [ ${modules} ]; ${more} }; in problemsOf {
      inherit (s) config pkgs; verity = false; labels = { store = "nix-store"; root = "nixos"; };
      loader = if s.config.boot.loader.systemd-boot.enable then "systemd-boot" else s.config.disk.loader or null;
    })`;
  const ours = `${REPOSITORY}/nix/modules/disk.nix`;
  const rows = PROBLEMS.map(([change]) => problemsOf(`${ours} ${change}`));
  const bareSystem = problemsOf('{ boot.loader.grub.enable = false; }');
  const expression = `
    let
      lib = import ${FIXTURE}/lib.nix;
      inherit (import ${REPOSITORY}/nix/lib/nixos-problems.nix) problemsOf;
    in { rows = [ ${rows.join('\n')} ]; bare = ${bareSystem}; }`;
  const words = ['--eval', '--strict', '--json', '--expr', expression];
  const { exitCode, stdout, stderr } = await runProgram('nix-instantiate', words, {
    env: { NIX_CONFIG: TEST_NIX_CONFIG },
  });
  expect(exitCode, stderr).toBe(0);
  const found = JSON.parse(stdout) as { rows: string[][]; bare: string[] };
  for (const [at, [change, message]] of PROBLEMS.entries()) {
    const said = found.rows[at] ?? [];
    if (message === null) expect(said, change).toEqual([]);
    else
      expect(
        said.some((line) => line.startsWith(message)),
        `${change}: ${said.join('\n')}`,
      ).toBe(true);
    // What is wrong, and then what to do.
    for (const line of said) expect(line).toMatch(/(: import|: set|: mount|: leave|: take|: build|, set|, or)/);
  }
  // Without our module: no loader, root, or store.
  expect(found.bare.map((line) => line.split(':')[0])).toEqual(['boot.loader', 'fileSystems."/"', 'fileSystems']);
});
