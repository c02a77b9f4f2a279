import { UserError } from '../core/error.ts';

/** What an error about the inside of a disk says. */
interface Damage {
  readonly path: string;
  /** As in "the qcow2 header". */
  readonly structure: string;
  /** Where it lies, in bytes from the start of the file or, for what is in a partition, of the disk. */
  readonly offset: number;
  /** As in "has checksum 1, not 2". */
  readonly what: string;
  readonly hint?: string;
}

const HINT = 'The file is damaged, or was copied in part. Make or download it again.';

/** UserError `file` for a structure on a disk that is not as its format says. */
export const diskDamage = ({ path, structure, offset, what, hint = HINT }: Damage): UserError =>
  new UserError('file', `${path}: ${structure} at byte ${offset} ${what}`, { hint });

const CONVERT = 'Convert it: qemu-img convert -O raw IN OUT.raw';

/** UserError `file` for a format, or a part of one, that is not read. */
export const notReadable = (path: string, what: string, hint: string = CONVERT): UserError =>
  new UserError('file', `cannot read ${path}: ${what}`, { hint });
