import { type FileHandle, open } from 'node:fs/promises';
import { withFileErrors } from '../core/file-error.ts';
import type { Extent } from '../disk/extent.ts';
import { joinRuns } from './pieces.ts';

/** A file that is written at random, and how errors call it. */
export interface DiskTarget {
  readonly file: FileHandle;
  readonly path: string;
}

/** Bytes that are read at once. */
const BUFFER = 1 << 20;

/** Bytes that are looked at for zeros: a block of every file system that a disk may lie on. */
const BLOCK = 4096;

const ZEROS = Buffer.alloc(BLOCK);

/**
 * Copies the file system in `from` to `offset` of a disk, but for its blocks of zeros, which stay holes. Gives where on the disk the data
 * is. Throws UserError `file`.
 */
export async function copyFileSystem(
  from: string,
  { file, path }: DiskTarget,
  offset: number,
): Promise<readonly Extent[]> {
  const runs: Extent[] = [];
  await withFileErrors(from, 'read', async () => {
    await using source = await open(from);
    const buffer = Buffer.allocUnsafe(BUFFER);
    for (let position = 0; ; ) {
      const { bytesRead } = await source.read(buffer, 0, BUFFER, position);
      if (bytesRead === 0) break;
      for (const { offset: at, length } of dataRuns(buffer.subarray(0, bytesRead))) {
        const place = offset + position + at;
        await writeAll({ file, path }, buffer.subarray(at, at + length), place);
        runs.push({ offset: place, length });
      }
      position += bytesRead;
    }
  });
  return joinRuns(runs);
}

/** The runs of blocks that are not zeros. */
function dataRuns(bytes: Buffer): Extent[] {
  const runs: Extent[] = [];
  for (let offset = 0; offset < bytes.length; offset += BLOCK) {
    const block = bytes.subarray(offset, offset + BLOCK);
    if (!block.equals(ZEROS.subarray(0, block.length))) runs.push({ offset, length: block.length });
  }
  return joinRuns(runs);
}

/** Writes all of `bytes`: one call may write less. Throws UserError `file`. */
async function writeAll({ file, path }: DiskTarget, bytes: Buffer, position: number): Promise<void> {
  await withFileErrors(path, 'write', async () => {
    for (let at = 0; at < bytes.length; ) {
      at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
    }
  });
}
