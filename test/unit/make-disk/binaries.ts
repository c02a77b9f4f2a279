import { gzipSync } from 'node:zlib';

/** The head of a program for EFI: DOS header, place of the PE header, machine. */
export function peFile(machine: number, size = 4096): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.write('MZ', 'latin1');
  bytes.writeUInt32LE(0x80, 0x3c);
  bytes.write('PE\0\0', 0x80, 'latin1');
  bytes.writeUInt16LE(machine, 0x84);
  return bytes;
}

export const PE = { x64: 0x8664, arm64: 0xaa64, riscv64: 0x5064 } as const;

/** An ELF file's head. */
export function elfFile(machine: number): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.write('\x7fELF', 'latin1');
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

export const ELF = { x64: 62, arm64: 183 } as const;

/** An archive as `cpio -H newc` writes it: names with their content; a name that ends in a slash is a folder. */
export function cpioArchive(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const parts = Object.entries({ ...files, 'TRAILER!!!': Buffer.alloc(0) }).flatMap(([path, content]) => {
    const isFolder = path.endsWith('/');
    const name = path.replace(/\/$/, '');
    const mode = isFolder ? 0o040755 : 0o100755;
    const fields = [1, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
    const header = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`);
    return [padded(header), padded(content)];
  });
  return Buffer.concat(parts);
}

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

/** An initrd with busybox for a machine. */
export const initrdFile = (machine: number): Buffer =>
  gzipSync(
    cpioArchive({ 'bin/': Buffer.alloc(0), init: Buffer.from('#!/bin/busybox sh'), 'bin/busybox': elfFile(machine) }),
  );
