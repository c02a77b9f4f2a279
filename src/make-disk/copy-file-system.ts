import { type FileHandle, open } from 'node:fs/promises';
import { dataRuns } from '../core/data-runs.ts';
import { writeFully } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import { type Extent, joinExtents } from '../disk/extent.ts';

/** A file that is written at random, and how errors call it. */
export interface DiskTarget {
  readonly file: FileHandle;
  readonly path: string;
}

/** Bytes that are read at once. */
const BUFFER = 1 << 20;

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
      const start = offset + position;
      for (const { from: at, to } of dataRuns(buffer.subarray(0, bytesRead), start)) {
        await withFileErrors(path, 'write', () => writeFully(file, buffer.subarray(at, to), start + at));
        runs.push({ offset: start + at, length: to - at });
      }
      position += bytesRead;
    }
  });
  return joinExtents(runs);
}
