import { UserError } from '../core/error.ts';
import { crc32c } from './crc32c.ts';
import { STORE_TIME } from './inode.ts';
import { FS_BLOCK } from './positions.ts';
import { uuidBytes } from './uuid.ts';

/** What tells a file system from others; the same for every revision of a disk, or each would differ. */
export interface Identity {
  /** As text, with dashes. */
  readonly uuid: string;
  /** Up to 15 ASCII characters. */
  readonly label: string;
}

/** What a superblock says beside its identity. */
interface Superblock {
  /** Blocks of the file system. */
  readonly blocks: number;
  readonly inodes: number;
  /** Number of the root directory's inode: 16 bits, so it lies in the first 2 MiB. */
  readonly rootNid: number;
}

/** Bytes before the superblock, which boot sectors may use. */
const OFFSET = 1024;

const MAGIC = 0xe0f5e1e2;
const BLOCK_BITS = 12;

/** `EROFS_FEATURE_COMPAT_SB_CHKSUM`, and `…_MTIME`: times are those of the last change. */
const COMPATIBLE = 0x1 | 0x2;

const LABEL = /^[\x21-\x7e]{1,15}$/;

/** Throws UserError `input` for an identity that a superblock cannot hold. */
function checkIdentity({ uuid, label }: Identity): Buffer {
  if (!LABEL.test(label)) {
    throw new UserError('input', `${JSON.stringify(label)} is not a valid label of a file system`, {
      hint: 'A label has 1 to 15 characters of ASCII without spaces.',
    });
  }
  return uuidBytes(uuid);
}

/**
 * Writes the superblock into the file system's first block, whose other content must be there already: the checksum is
 * over all of it. Format: `struct erofs_super_block` of Linux `fs/erofs/erofs_fs.h`. Throws UserError `input` for an identity
 * that does not fit.
 */
export function encodeSuperblock(block: Buffer, { blocks, inodes, rootNid }: Superblock, identity: Identity): void {
  const uuid = checkIdentity(identity);
  const at = OFFSET;
  block.writeUInt32LE(MAGIC, at);
  block.writeUInt32LE(0, at + 4);
  block.writeUInt32LE(COMPATIBLE, at + 8);
  block.writeUInt8(BLOCK_BITS, at + 12);
  block.writeUInt16LE(rootNid, at + 14);
  block.writeBigUInt64LE(BigInt(inodes), at + 16);
  block.writeBigUInt64LE(BigInt(STORE_TIME), at + 24);
  block.writeUInt32LE(blocks, at + 36);
  uuid.copy(block, at + 48);
  block.write(identity.label, at + 64, 'latin1');
  block.writeUInt32LE(crc32c(block.subarray(at, FS_BLOCK)), at + 4);
}

/**
 * Reads the superblock out of the file system's first block. Throws UserError `input` when it is damaged, or that of another
 * file system or of an EROFS that this project did not write; `what` is how errors call it.
 */
export function decodeSuperblock(block: Buffer, what: string): Superblock {
  const at = OFFSET;
  if (block.length < FS_BLOCK || block.readUInt32LE(at) !== MAGIC)
    throw damaged(what, 'no superblock of EROFS at byte 1024');
  const copy = Buffer.from(block.subarray(at, FS_BLOCK));
  const checksum = copy.readUInt32LE(4);
  copy.writeUInt32LE(0, 4);
  if (checksum !== crc32c(copy)) throw damaged(what, 'the checksum of its superblock is wrong');
  // Compression, chunks, other devices: whatever changes how it must be read.
  const incompatible = block.readUInt32LE(at + 80);
  const bits = block.readUInt8(at + 12);
  if (incompatible !== 0 || bits !== BLOCK_BITS || block.readUInt32LE(at + 40) !== 0) {
    throw damaged(what, `not an uncompressed file system with blocks of ${FS_BLOCK} bytes`);
  }
  return {
    blocks: block.readUInt32LE(at + 36),
    inodes: Number(block.readBigUInt64LE(at + 16)),
    rootNid: block.readUInt16LE(at + 14),
  };
}

/** A file system that cannot be read, as UserError `input`. */
export const damaged = (what: string, why: string): UserError =>
  new UserError('input', `cannot read the file system of ${what}: ${why}`, {
    hint: 'Name a disk that nix-images made, or the positions that were published with it.',
  });
