import { open } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { readFully } from '../core/file-bytes.ts';
import { fileError, withFileErrors } from '../core/file-error.ts';
import { diskDamage } from './disk-damage.ts';

/** A file that holds a disk, opened for reading. */
export interface DiskFile {
  readonly path: string;
  /** Bytes of the file. */
  readonly size: number;
  /** Its descriptor, for threads that wait for nothing else. */
  readonly fd: number;
  /** Fills `into` from `position` on. Throws UserError `file` that names `structure` where the file ends before. */
  read(into: Uint8Array, position: number, structure: string): Promise<void>;
  /** `length` bytes in a new buffer. */
  bytes(position: number, length: number, structure: string): Promise<Buffer>;
  close(): Promise<void>;
}

/** UserError `file`: the file ends at `end`, within `structure`, which lies at `offset`. */
export const truncated = (path: string, structure: string, { offset, end }: { offset: number; end: number }) =>
  diskDamage({ path, structure, offset, what: `is cut off: the file ends at byte ${end}` });

/** Opens a file. Throws UserError `file` for what is not one and for what cannot be read. */
export function openFile(path: string): Promise<DiskFile> {
  return withFileErrors(path, 'read', async () => {
    const file = await open(path);
    const info = await file.stat();
    if (!info.isFile()) {
      await file.close();
      throw new UserError('file', `${path} is not a file`, { hint: 'Name the file of a disk.' });
    }
    const read = async (into: Uint8Array, position: number, structure: string): Promise<void> => {
      const count = await readFully(file, into, position).catch((error: unknown) => {
        throw fileError(error, path, 'read');
      });
      if (count < into.length) throw truncated(path, structure, { offset: position, end: info.size });
    };
    return {
      path,
      size: info.size,
      fd: file.fd,
      read,
      async bytes(position, length, structure) {
        const into = Buffer.alloc(length);
        await read(into, position, structure);
        return into;
      },
      close: () => file.close(),
    };
  });
}
