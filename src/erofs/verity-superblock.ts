import { UserError } from '../core/error.ts';
import { FS_BLOCK } from './positions.ts';
import { uuidBytes } from './uuid.ts';

/** What tells a hash tree from others. */
export interface VerityIdentity {
  /** As text, with dashes. */
  readonly uuid: string;
  /** In hex: up to 256 bytes that are hashed before each block. The same for every revision, so that equal blocks have equal digests. */
  readonly salt: string;
}

/** `struct verity_sb` of cryptsetup's `lib/verity/verity.c`: 512 bytes, at the start of a block of its own. */
const SIGNATURE = 'verity\0\0';
const VERSION = 1;
/** Format 1: the salt comes before the data. */
const HASH_TYPE = 1;
const SALT_LIMIT = 256;

/** Even numbers of hex digits. */
const HEX = /^(?:[0-9a-f]{2})*$/;

/** The block before a hash tree. Throws UserError `input` for a UUID or salt that it cannot hold. */
export function encodeVeritySuperblock(dataBlocks: number, { uuid, salt }: VerityIdentity): Buffer {
  if (!HEX.test(salt) || salt.length > 2 * SALT_LIMIT) {
    throw new UserError('input', `${salt} is not a valid salt`, {
      hint: `A salt is at most ${SALT_LIMIT} bytes, in hexadecimal digits of lower case.`,
    });
  }
  const block = Buffer.alloc(FS_BLOCK);
  block.write(SIGNATURE, 0, 'latin1');
  block.writeUInt32LE(VERSION, 8);
  block.writeUInt32LE(HASH_TYPE, 12);
  uuidBytes(uuid).copy(block, 16);
  block.write('sha256', 32, 'latin1');
  block.writeUInt32LE(FS_BLOCK, 64);
  block.writeUInt32LE(FS_BLOCK, 68);
  block.writeBigUInt64LE(BigInt(dataBlocks), 72);
  block.writeUInt16LE(salt.length / 2, 80);
  block.write(salt, 88, 'hex');
  return block;
}
