import { open } from 'node:fs/promises';
import type { Disk } from '../../src/disk/disk.ts';
import { createExec } from '../../src/host/exec.ts';
import { chancesOf } from './chances.ts';
import { programPath, runProgram } from './tools.ts';

const { signal } = new AbortController();

/** What disks are opened with. */
export const diskTools = { exec: createExec({ env: process.env, signal }), signal };

/** This program, for threads. */
export const ownProgram = new URL('../../src/main.ts', import.meta.url);

/** Bytes that no compressor makes smaller, of a seed. */
export function noise(length: number, seed: number): Buffer {
  const chance = chancesOf(seed);
  return Buffer.from(Uint8Array.from({ length }, () => chance() * 256));
}

/** Writes a disk of `size` bytes with holes between `parts`. */
export async function writeDisk(
  path: string,
  size: number,
  parts: readonly (readonly [offset: number, bytes: Uint8Array])[],
): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(size);
  for (const [offset, bytes] of parts) await file.write(bytes, 0, bytes.length, offset);
}

/** qemu-img, which must end well. */
export async function qemuImg(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(programPath('qemu-img'), args);
  if (exitCode !== 0) throw new Error(`qemu-img ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** All bytes of a disk, those outside its extents as zeros: what is not in an extent is not read. */
export async function contentOf(disk: Disk): Promise<Buffer> {
  const bytes = Buffer.alloc(disk.size);
  for (const { offset, length } of disk.extents) await disk.read(bytes.subarray(offset, offset + length), offset);
  return bytes;
}
