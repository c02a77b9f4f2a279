import { type FileHandle, open } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { fileError, withFileErrors } from '../core/file-error.ts';
import type { Disk } from './disk.ts';
import type { Extent } from './extent.ts';

/** Fills `into` from `position` on; resolves with how many bytes the file had there, fewer only at its end. */
async function readAt(file: Pick<FileHandle, 'read'>, into: Uint8Array, position: number): Promise<number> {
  let at = 0;
  while (at < into.length) {
    const { bytesRead } = await file.read(into, at, into.length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}

/** Fills `into` or throws UserError `file` that names `what`, `path` and the offset: the file ends before. */
async function readWhole(
  file: Pick<FileHandle, 'read'>,
  into: Uint8Array,
  position: number,
  { what, path }: { readonly what: string; readonly path: string },
): Promise<void> {
  const count = await readAt(file, into, position).catch((error: unknown) => {
    throw fileError(error, path, 'read');
  });
  if (count === into.length) return;
  throw new UserError(
    'file',
    `${path} is truncated: it ends at byte ${position + count}, within ${what} (bytes ${position} to ${position + into.length})`,
    { hint: 'Copy or download it again, and compare its size with that of the original.' },
  );
}

/** @internal A file that is the disk, byte for byte. `extents`: where it may have data. */
export async function openRaw(path: string, extents: readonly Extent[]): Promise<Disk> {
  return withFileErrors(path, 'read', async () => {
    const file = await open(path);
    const { size } = await file.stat();
    return {
      format: 'raw',
      path,
      size,
      extents,
      read: (into, position) => readWhole(file, into, position, { what: 'the disk', path }),
      close: () => file.close(),
    };
  });
}
