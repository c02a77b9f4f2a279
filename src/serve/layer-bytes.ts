import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { BlockPool } from '../core/block-pool.ts';
import { UserError } from '../core/error.ts';
import type { LayerTree } from '../image/layer.ts';
import { layerEntries } from '../layer/entries.ts';
import type { LayerContent } from '../layer/layer-content.ts';
import { lazyStoreTree, watchedStoreTree } from '../layer/store-tree.ts';
import { treePrint } from '../layer/tree-print.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { endDigest } from '../oci/digest.ts';
import { tarStream } from '../tar/writer.ts';
import type { ByteStream } from './answer.ts';
import type { FreshHashes } from './fresh-hashes.ts';

/** Bytes that are made at once: so few that the first come at once, and layers that are read together take turns. */
export const SERVED_BLOCK = 256 * 1024;

/** Blocks that requests have let go of, for the next ones. */
const pool = new BlockPool(SERVED_BLOCK);

/** A layer that is made of a tree. */
interface ServedTree {
  readonly open: () => Promise<LayerTree>;
  readonly descriptor: Descriptor;
  readonly fresh: FreshHashes;
  /** Told when the tree is another one by now. */
  readonly onDamage: () => Promise<void>;
}

/**
 * The tar of a tree from byte `from` on, made here and now. What comes before is counted from the names and sizes of files, which are not
 * read. Read from its start it is compared with its digest: the last block is held back, and `onDamage` called, where it differs. A tree that was
 * hashed a short while ago and looks the same is not hashed again: the client does so anyway.
 */
export function treeBytes(
  { open, descriptor: { digest, size }, fresh, onDamage }: ServedTree,
  from: number,
): ByteStream {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const { content, close } = await open();
    try {
      const print = treePrint();
      const known = from === 0 && content.kind === 'store' ? fresh.find(digest) : undefined;
      const hash = from === 0 && known === undefined ? createHash('sha256') : undefined;
      const isRight = async (): Promise<boolean> => {
        const seen = print.end();
        if (seen === known) return true;
        const found = hash ?? (await hashAgain(content));
        if (endDigest(found) !== digest) return false;
        if (content.kind === 'store') fresh.keep(digest, seen);
        return true;
      };
      let sent = from;
      for (const block of tarStream(layerEntries(content, watchedStoreTree(print.add)), pool, from)) {
        hash?.update(block);
        sent += block.length;
        if (sent > size || (sent === size && from === 0 && !(await isRight()))) await damaged(digest, onDamage);
        yield block;
      }
      if (sent < size) await damaged(digest, onDamage);
    } finally {
      await close();
    }
  }
  return { chunks: chunks(), release: (block) => pool.give(block) };
}

/** Hashes a tree that looks otherwise than before it was sent: an inode changes with each further link to it, too. */
async function hashAgain(content: LayerContent): Promise<Hash> {
  const hash = createHash('sha256');
  for (const block of tarStream(layerEntries(content, lazyStoreTree), pool)) {
    hash.update(block);
    pool.give(block);
    // Others have their turns.
    await setImmediate();
  }
  return hash;
}

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
