import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';

/** Bytes of a disk at most: its block digests are kept in memory, 64 MiB a TiB. Volumes of EC2 may have 32 times as many. */
export const MOST_DISK_BYTES = 2 * 1024 ** 4;

const HINT = 'Make a smaller disk; it can grow when it runs.';

/** Throws UserError `file` for a disk of more than `MOST_DISK_BYTES`. */
export function checkDiskSize(path: string, size: number): void {
  if (size <= MOST_DISK_BYTES) return;
  const limit = `${sizeText(size)}, and the limit is ${sizeText(MOST_DISK_BYTES)}`;
  throw new UserError('file', `${path} is a disk of ${limit}`, { hint: HINT });
}

/** Throws UserError `file` where more than `MOST_DISK_BYTES` have come out of a packed disk. */
export function checkUnpackedDisk(path: string, unpacked: number): void {
  if (unpacked <= MOST_DISK_BYTES) return;
  throw new UserError('file', `${path} unpacks to more than ${sizeText(MOST_DISK_BYTES)}`, { hint: HINT });
}
