import { open, stat } from 'node:fs/promises';
import { withFileErrors } from '../core/file-error.ts';

/** Bytes of a file that tell what it is: the mark of a tar file ends at byte 262. */
const HEAD_BYTES = 262;

const PROGRAMS = ['#!', '\x7fELF'];

/** gzip (RFC 1952), zstd (RFC 8878), xz, bzip2. */
const PACKED = ['\x1f\x8b', '\x28\xb5\x2f\xfd', '\xfd7zXZ\0', 'BZh'];

/** POSIX.1-1988 and later, at this place of the first header. */
const TAR = { at: 257, mark: 'ustar' };

/**
 * Whether a path that was built is an image or a program that prints one, by its first bytes; undefined where they tell
 * neither. Throws UserError `file` where it cannot be read.
 */
export const builtKind = (path: string): Promise<'archive' | 'stream' | undefined> =>
  withFileErrors(path, 'read', async () => {
    if ((await stat(path)).isDirectory()) return 'archive';
    const file = await open(path);
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
      const head = buffer.subarray(0, bytesRead).toString('latin1');
      if (PROGRAMS.some((mark) => head.startsWith(mark))) return 'stream';
      const isArchive = PACKED.some((mark) => head.startsWith(mark)) || head.startsWith(TAR.mark, TAR.at);
      return isArchive ? 'archive' : undefined;
    } finally {
      await file.close();
    }
  });
