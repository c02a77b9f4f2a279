import { hash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import { readFully } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import { BlockWriter, type ErofsTarget } from './block-writer.ts';
import { type BlockRun, FS_BLOCK } from './positions.ts';
import { encodeVeritySuperblock, type VerityIdentity } from './verity-superblock.ts';

/** What is hashed. */
interface VerityData extends ErofsTarget {
  /** Blocks of 4 KiB that are protected, holes included. */
  readonly blocks: number;
  /** Where anything lies, ascending: the rest has only holes, and is not read. */
  readonly used: readonly BlockRun[];
}

const DIGEST_BYTES = 32;
const DIGESTS_A_BLOCK = FS_BLOCK / DIGEST_BYTES;

/** Blocks that are read at a time: 4 MiB. */
const READ_BLOCKS = 1024;

/** Blocks of each level, the lowest first, up to the one that is a single block. A single block of data has no tree. */
function levelsOf(dataBlocks: number): number[] {
  const levels: number[] = [];
  for (let blocks = dataBlocks; blocks > 1; ) {
    blocks = Math.ceil(blocks / DIGESTS_A_BLOCK);
    levels.push(blocks);
  }
  return levels;
}

/** Blocks of 4 KiB of a hash tree over so many, its superblock included: what its partition must have. */
export const verityBlocks = (dataBlocks: number): number =>
  levelsOf(dataBlocks).reduce((sum, blocks) => sum + blocks, 1);

/**
 * Writes the hash tree of dm-verity: format 1, SHA-256, blocks of 4 KiB for data and hashes, as `veritysetup format` does with
 * that salt and UUID. The answer is the root hash, in hex, with which a kernel refuses every changed byte. Reads the data
 * once, and what of it is holes not at all; takes some ten MB of memory.
 *
 * Format: Linux `Documentation/admin-guide/device-mapper/verity.rst`; cryptsetup `lib/verity`. Throws UserError `file` when the
 * disk cannot be read or written, and `input` for a salt or UUID that does not fit.
 */
export async function writeVerity(
  data: VerityData,
  target: ErofsTarget,
  { identity, signal }: { readonly identity: VerityIdentity; readonly signal: AbortSignal },
): Promise<string> {
  const superblock = encodeVeritySuperblock(data.blocks, identity);
  const digests = digestsWith(Buffer.from(identity.salt, 'hex'));
  const [lowest = 0, ...higher] = levelsOf(data.blocks);
  const writer = new BlockWriter(target);
  try {
    await writer.write(superblock);
    // The highest level is the first on the disk; the lowest, which is nearly all of it, is written as it comes.
    await writer.moveTo(1 + higher.reduce((sum, blocks) => sum + blocks, 0));
    const above: Buffer[] = [];
    for await (const part of dataDigests(data, digests, signal)) {
      // A single block has no tree: its digest is the root hash.
      if (lowest > 0) await writer.write(toBlocks(part));
      above.push(lowest > 0 ? digests(toBlocks(part)) : part);
    }
    await writer.moveTo(1);
    const { levels, root } = levelsAbove(Buffer.concat(above), digests);
    for (const level of levels.toReversed()) await writer.write(level);
    await writer.finish();
    return root.toString('hex');
  } finally {
    await writer.settle();
  }
}

/** The digests of all blocks in a buffer, one after another. */
type Digests = (blocks: Buffer) => Buffer;

function digestsWith(salt: Buffer): Digests {
  const salted = Buffer.concat([salt, Buffer.alloc(FS_BLOCK)]);
  return (blocks) => {
    const count = blocks.length / FS_BLOCK;
    const found = Buffer.alloc(count * DIGEST_BYTES);
    for (let index = 0; index < count; index += 1) {
      blocks.copy(salted, salt.length, index * FS_BLOCK, (index + 1) * FS_BLOCK);
      hash('sha256', salted, 'buffer').copy(found, index * DIGEST_BYTES);
    }
    return found;
  };
}

/** With zeros up to the end of its last block. */
function toBlocks(bytes: Buffer): Buffer {
  const rest = bytes.length % FS_BLOCK;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(FS_BLOCK - rest)]);
}

/** The digests of the data, of so many blocks at a time that they fill whole blocks but for the last. */
async function* dataDigests(data: VerityData, digests: Digests, signal: AbortSignal): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(READ_BLOCKS * FS_BLOCK);
  const ofZeros = digests(buffer);
  for (let block = 0; block < data.blocks; block += READ_BLOCKS) {
    signal.throwIfAborted();
    const end = Math.min(block + READ_BLOCKS, data.blocks);
    const part = buffer.subarray(0, (end - block) * FS_BLOCK);
    const isUsed = data.used.some((run) => run.block < end && block < run.block + run.blocks);
    if (isUsed) await readBlocks(data, part, block);
    yield isUsed ? digests(part) : ofZeros.subarray(0, (end - block) * DIGEST_BYTES);
  }
}

async function readBlocks({ file, path, start, used }: VerityData, into: Buffer, block: number): Promise<void> {
  into.fill(0);
  const end = block + into.length / FS_BLOCK;
  for (const run of used) {
    const from = Math.max(run.block, block);
    const to = Math.min(run.block + run.blocks, end);
    if (from >= to) continue;
    const part = into.subarray((from - block) * FS_BLOCK, (to - block) * FS_BLOCK);
    const place = start + from * FS_BLOCK;
    const read = await withFileErrors(path, 'read', () => readFully(file, part, place));
    if (read < part.length) throw new UserError('file', `cannot read ${path}: it ends at byte ${place + read}`);
  }
}

/** The levels above the lowest, the lowest of them first, made of the digests of its blocks; and what is above them all. */
function levelsAbove(below: Buffer, digests: Digests): { readonly levels: readonly Buffer[]; readonly root: Buffer } {
  const levels: Buffer[] = [];
  let root = below;
  while (root.length > DIGEST_BYTES) {
    const level = toBlocks(root);
    levels.push(level);
    root = digests(level);
  }
  return { levels, root };
}
