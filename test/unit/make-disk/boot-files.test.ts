import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DiskDefinition } from '../../../src/definition/disk-definition.ts';
import { checkBootFiles } from '../../../src/make-disk/boot-files.ts';
import type { System } from '../../../src/oci/system.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';
import { ELF, elfFile, initrdFile, PE, peFile } from './binaries.ts';

let temp: TempDir;
const at = (name: string): string => join(temp.path, name);

beforeAll(async () => {
  temp = await uniqueTempDir('boot-files');
  await mkdir(at('folder'));
  const old = Buffer.alloc(4096);
  old.write('HdrS', 0x202, 'latin1');
  const arm = Buffer.alloc(4096);
  arm.write('ARM\x64', 0x38, 'latin1');
  const files: Record<string, Buffer> = {
    'kernel-x64': peFile(PE.x64),
    'kernel-arm64': peFile(PE.arm64),
    'kernel-riscv': peFile(PE.riscv64),
    'kernel-without-stub': old,
    'Image-without-stub': arm,
    'Image.gz': gzipSync(peFile(PE.arm64)),
    vmlinux: elfFile(ELF.x64),
    text: Buffer.from('not a kernel'),
    empty: Buffer.alloc(0),
    'initrd-x64': initrdFile(ELF.x64),
    'initrd-arm64': initrdFile(ELF.arm64),
  };
  for (const [name, bytes] of Object.entries(files)) await writeFile(at(name), bytes);
});
afterAll(() => temp.remove());

interface Parts {
  readonly kernel?: string;
  readonly initrd?: string | null;
  readonly stub?: string;
  readonly espFiles?: Record<string, string>;
  readonly system?: System;
}

const check = ({
  kernel = 'kernel-x64',
  initrd = 'initrd-x64',
  stub = 'kernel-x64',
  espFiles = {},
  system = 'x86_64-linux',
}: Parts) =>
  checkBootFiles({
    system,
    boot: {
      loader: 'uki',
      kernel: at(kernel),
      initrd: initrd && at(initrd),
      stub: at(stub),
      cmdline: '',
      osRelease: '',
      uname: null,
    },
    espFiles: Object.fromEntries(
      Object.entries(espFiles).map(([name, file]) => [name, { type: 'source', source: at(file) }]),
    ),
  } as unknown as DiskDefinition);

test.each<[string, Parts]>([
  ['what fits the system', {}],
  ['no initrd', { initrd: null }],
  [
    'another architecture',
    { kernel: 'kernel-arm64', initrd: 'initrd-arm64', stub: 'kernel-arm64', system: 'aarch64-linux' },
  ],
  ['a file of the ESP that is empty', { espFiles: { '/marker': 'empty' } }],
])('taken: %s', async (_what, parts) => {
  await expect(check(parts)).resolves.toBeUndefined();
});

test.each<[Parts, RegExp]>([
  [{ kernel: 'kernel-arm64' }, /^the kernel .*kernel-arm64 is for aarch64, but the disk is for x86_64-linux$/],
  [{ kernel: 'kernel-riscv' }, /^the kernel .* is for riscv64, but/],
  [{ system: 'aarch64-linux' }, /^the kernel .*kernel-x64 is for x86_64, but the disk is for aarch64-linux$/],
  [{ stub: 'kernel-arm64' }, /^the EFI stub .* is for aarch64, but/],
  [{ kernel: 'kernel-without-stub' }, /^the kernel .* has no EFI stub/],
  [{ kernel: 'Image-without-stub' }, /^the kernel .* has no EFI stub/],
  [{ kernel: 'Image.gz' }, /^the kernel .*Image\.gz is compressed, which EFI does not unpack$/],
  [{ kernel: 'vmlinux' }, /^the kernel .*vmlinux is not a program for EFI but an ELF file for x86_64$/],
  [{ kernel: 'text' }, /^the kernel .*text is not a program for EFI but something else$/],
  [{ kernel: 'empty' }, /^the kernel .*empty is empty$/],
  [{ kernel: 'folder' }, /^the kernel .*folder is not a file$/],
  [
    { initrd: 'initrd-arm64' },
    /^the initrd .* has programs for aarch64 \(bin\/busybox\), but the disk is for x86_64-linux$/,
  ],
  [{ initrd: 'text' }, /^the initrd .*text is not an initrd/],
  [{ initrd: 'empty' }, /^the initrd .*empty is empty$/],
  [
    { espFiles: { '/EFI/BOOT/BOOTX64.EFI': 'kernel-arm64' } },
    /^\/EFI\/BOOT\/BOOTX64\.EFI of the EFI system partition .* is for aarch64/,
  ],
  [
    { espFiles: { '/loader/random-seed': 'folder' } },
    /^\/loader\/random-seed of the EFI system partition .* is not a file$/,
  ],
])('refused: %o', async (parts, message) => {
  await expect(check(parts)).rejects.toMatchObject({
    code: 'input',
    message: expect.stringMatching(message),
    hint: expect.any(String),
  });
});

test('what a derivation does not have is said with its store path', async () => {
  const kernel = '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-linux/bzImage';
  const boot = { loader: 'uki', kernel, initrd: null, stub: at('kernel-x64'), cmdline: '', osRelease: '', uname: null };
  const definition = { system: 'x86_64-linux', boot, espFiles: {} } as unknown as DiskDefinition;
  await expect(checkBootFiles(definition)).rejects.toMatchObject({
    code: 'input',
    message: 'the kernel is missing: /nix/store/0123456789abcdfghijklmnpqrsvwxyz-linux has no bzImage',
  });
});
