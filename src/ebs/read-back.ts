import { UserError } from '../core/error.ts';
import type { Clock } from '../core/retry.ts';
import { DIGEST_BYTES } from '../disk/block-list.ts';
import type { EbsClient } from './ebs-client.ts';
import { EbsError } from './ebs-failure.ts';

interface ReadBackOptions {
  /** Blocks that are read. */
  readonly sample: number;
  readonly region: string;
  /** SHA-256 of each block of the disk, 32 bytes each. */
  readonly checksums: Uint8Array;
  readonly clock: Pick<Clock, 'random'>;
}

/** Up to `count` different items, by chance. */
function sampleOf(items: Uint32Array, count: number, random: () => number): number[] {
  const left = [...items];
  return Array.from({ length: Math.min(count, left.length) }, () => {
    const [one = 0] = left.splice(Math.floor(random() * left.length), 1);
    return one;
  });
}

/**
 * Reads some of these blocks of a completed snapshot back; resolves with how many, 0 where we may not read. Throws UserError `digest` for one that is
 * missing or another, and EbsError.
 */
export async function verifySample(
  client: Pick<EbsClient, 'blockToken' | 'blockChecksum'>,
  snapshotId: string,
  blocks: Uint32Array,
  { sample, region, checksums, clock }: ReadBackOptions,
): Promise<number> {
  const chosen = sampleOf(blocks, sample, () => clock.random());
  try {
    for (const block of chosen) {
      const token = await client.blockToken(snapshotId, block);
      const expected = Buffer.from(checksums.subarray(block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES)).toString(
        'base64',
      );
      if (token !== undefined && (await client.blockChecksum(snapshotId, block, token)) === expected) continue;
      const what = token === undefined ? 'is missing' : 'is not what was sent';
      throw new UserError('digest', `block ${block} of ${snapshotId} in ${region} ${what}`, {
        hint: 'Delete the snapshot and run again.',
      });
    }
    return chosen.length;
  } catch (error) {
    // Who writes snapshots need not be allowed to read them.
    if (error instanceof EbsError && error.failure.code === 'AccessDeniedException') return 0;
    throw error;
  }
}
