import { createHash, type Hash } from 'node:crypto';
import { BlockPool } from '../core/block-pool.ts';
import { UserError } from '../core/error.ts';
import type { LayerTree } from '../image/layer.ts';
import { layerEntries } from '../layer/entries.ts';
import { lazyStoreTree } from '../layer/store-tree.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { endDigest } from '../oci/digest.ts';
import { tarStream } from '../tar/writer.ts';
import type { ByteStream } from './answer.ts';

/** Bytes that are made at once: so few that the first come at once, and layers that are read together take turns. */
export const SERVED_BLOCK = 256 * 1024;

/** Blocks that requests have let go of, for the next ones. */
const pool = new BlockPool(SERVED_BLOCK);

/**
 * The tar of a tree from byte `from` on, made here and now. What comes before is counted from the names and sizes of files, which are not
 * read. Read from its start it is compared with its digest: the last block is held back, and `onDamage` called, where it differs.
 */
export function treeBytes(
  open: () => Promise<LayerTree>,
  { digest, size }: Descriptor,
  from: number,
  onDamage: () => Promise<void>,
): ByteStream {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const tree = await open();
    try {
      const hash = from === 0 ? createHash('sha256') : undefined;
      let sent = from;
      for (const block of tarStream(layerEntries(tree.content, lazyStoreTree), pool, from)) {
        hash?.update(block);
        sent += block.length;
        if (sent > size || (sent === size && hash && !isRight(hash, digest))) await damaged(digest, onDamage);
        yield block;
      }
      if (sent < size) await damaged(digest, onDamage);
    } finally {
      await tree.close();
    }
  }
  return { chunks: chunks(), release: (block) => pool.give(block) };
}

const isRight = (hash: Hash, digest: Descriptor['digest']): boolean => endDigest(hash) === digest;

async function damaged(digest: string, onDamage: () => Promise<void>): Promise<never> {
  await onDamage();
  throw new UserError('digest', `the layer ${digest} is another one by now: a store path of it was changed`, {
    hint: 'Check the store with `nix-store --verify --check-contents`, and pull again.',
  });
}

/** Bytes that lie somewhere, from byte `from` on; those before are read and left out. */
export function skippedBytes(read: () => AsyncIterable<Uint8Array>, from: number): ByteStream {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    let toSkip = from;
    for await (const chunk of read()) {
      const part = chunk.subarray(Math.min(toSkip, chunk.length));
      toSkip -= chunk.length - part.length;
      if (part.length > 0) yield part;
    }
  }
  return { chunks: chunks() };
}
