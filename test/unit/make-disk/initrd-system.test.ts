import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { initrdSystem } from '../../../src/make-disk/initrd-system.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { cpioArchive, ELF, elfFile } from './binaries.ts';

const NONE = Buffer.alloc(0);
const microcode = cpioArchive({ 'kernel/x86/microcode/GenuineIntel.bin': Buffer.alloc(5000, 7) });
const early = Buffer.concat([microcode, Buffer.alloc(512 - (microcode.length % 512))]);
const arm = cpioArchive({ 'nix/': NONE, 'nix/store/a/lib/ld.so': elfFile(ELF.arm64) });
const large = cpioArchive({ 'data.bin': Buffer.alloc(3 << 20, 1), 'bin/sh': elfFile(ELF.x64) });
const scripts = cpioArchive({ init: Buffer.from('#!/bin/sh\n') });
const program = (name: string, machine: string) => ({ kind: 'program', name, machine, system: `${machine}-linux` });

test.each<[string, Buffer, object]>([
  ['plain', arm, program('nix/store/a/lib/ld.so', 'aarch64')],
  ['by gzip', gzipSync(arm), program('nix/store/a/lib/ld.so', 'aarch64')],
  ['by zstd', zstdCompressSync(large), program('bin/sh', 'x86_64')],
  ['behind microcode', Buffer.concat([early, zstdCompressSync(arm)]), program('nix/store/a/lib/ld.so', 'aarch64')],
  ['behind microcode, in gzip', Buffer.concat([early, gzipSync(large)]), program('bin/sh', 'x86_64')],
  ['with a damaged end', gzipSync(large).subarray(0, -20), program('bin/sh', 'x86_64')],
  ['without a program', gzipSync(scripts), { kind: 'archive' }],
  ['microcode alone', early, { kind: 'archive' }],
  ['by xz, which Node cannot unpack', Buffer.from('fd377a585a000004', 'hex'), { kind: 'archive' }],
  ['behind microcode, by xz', Buffer.concat([early, Buffer.from('fd377a585a000004', 'hex')]), { kind: 'archive' }],
  ['no archive in gzip', gzipSync(Buffer.alloc(4096, 65)), { kind: 'unknown' }],
  ['a header alone', Buffer.from('070701'), { kind: 'unknown' }],
  ['something else', Buffer.from('#!/bin/sh\necho hello\n'), { kind: 'unknown' }],
])('an initrd %s', async (_what, bytes, expected) => {
  await using temp = await uniqueTempDir('initrd');
  const file = join(temp.path, 'initrd');
  await writeFile(file, bytes);
  expect(await initrdSystem(file)).toEqual(expected);
});
