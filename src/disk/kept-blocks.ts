import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, withFileErrors } from '../core/file-error.ts';
import { type Digest, digestHex } from '../oci/digest.ts';
import { type BlockList, blockCount, DIGEST_BYTES, diskIdentity } from './block-list.ts';

/** `SIZE`, 8 bytes, big-endian, then the digests. */
const HEAD = 8;

const pathIn = (folder: string, identity: Digest): string => join(folder, `${digestHex(identity)}.blocks`);

/** Keeps the list of a disk that was uploaded, for the next one. Throws UserError `file`. */
export async function keepBlocks(folder: string, blocks: BlockList): Promise<void> {
  const path = pathIn(folder, diskIdentity(blocks));
  const head = Buffer.alloc(HEAD);
  head.writeBigUInt64BE(BigInt(blocks.size));
  const draft = `${path}.${process.pid}`;
  await withFileErrors(path, 'write', async () => {
    await writeFile(draft, Buffer.concat([head, blocks.digests]));
    await rename(draft, path);
  });
}

/** A list that was kept; undefined where there is none, or it is another disk's. Throws UserError `file`. */
export async function readKept(folder: string, identity: Digest): Promise<BlockList | undefined> {
  const path = pathIn(folder, identity);
  const bytes = await withFileErrors(path, 'read', () =>
    readFile(path).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    }),
  );
  if (bytes === undefined || bytes.length < HEAD) return undefined;
  const list = { size: Number(bytes.readBigUInt64BE()), digests: bytes.subarray(HEAD) };
  const isWhole = Number.isSafeInteger(list.size) && list.digests.length === blockCount(list.size) * DIGEST_BYTES;
  return isWhole && diskIdentity(list) === identity ? list : undefined;
}
