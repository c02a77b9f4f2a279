import type { Effects } from '../core/effects.ts';
import type { BlockList } from './block-list.ts';
import type { Disk } from './disk.ts';
import type { DiskThreads } from './disk-threads.ts';
import { hashBlocks } from './hash-blocks.ts';

/** What hashing a disk needs of the world. */
interface HashTools extends Pick<Effects, 'signal'> {
  readonly openThreads: () => Pick<DiskThreads, 'hash' | 'close'>;
}

/**
 * `hashBlocks` on threads of its own, which have ended when it resolves or rejects; where the run is stopped, at once. Throws as `hashBlocks`, and the
 * signal's reason.
 */
export async function hashDisk(disk: Disk, { openThreads, signal }: HashTools): Promise<BlockList> {
  signal.throwIfAborted();
  const threads = openThreads();
  const stop = (): void => void threads.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await hashBlocks(disk, threads);
  } catch (error) {
    // What a thread says that was ended is no reason.
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    await threads.close();
  }
}
