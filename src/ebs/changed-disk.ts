import { UserError } from '../core/error.ts';
import { BLOCK_BYTES } from '../disk/block-list.ts';

/** UserError `file`: a block of a disk is not what was hashed. */
export const changedDisk = (path: string, block: number): UserError =>
  new UserError('file', `${path} has changed since it was hashed: block ${block}, at byte ${block * BLOCK_BYTES}`, {
    hint: 'Nothing may write to a disk while it is uploaded. Run again when it is as it should be.',
  });
