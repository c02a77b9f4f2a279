import { UserError } from './error.ts';
import { sizeText } from './size.ts';

/** Bytes that anything may unpack to, however small it is packed: more than most images have, and written in seconds. */
const FREE = 512 * 1024 * 1024;

/**
 * How many times its packed size anything larger may have. Programs and documents shrink to a fifth, logs and databases to a
 * fiftieth; gzip cannot do more than a thousandth, but 100 kB of zstd may stand for gigabytes.
 */
const RATIO = 200;

/** Throws UserError `file` naming `what` when `unpacked` bytes are more than `packed` bytes may stand for. */
export function checkUnpacked(what: string, packed: number, unpacked: number): void {
  if (unpacked <= FREE || unpacked <= packed * RATIO) return;
  const ratio = Math.floor(unpacked / Math.max(1, packed));
  throw new UserError(
    'file',
    `${what} unpacks to more than ${sizeText(unpacked)}, ${ratio} times its ${sizeText(packed)}; above ${sizeText(FREE)} the limit is ${RATIO} times`,
    {
      hint: 'It is made to fill disks, or holds a file of zeros. If it is meant so, unpack it and name the plain tar.',
    },
  );
}
