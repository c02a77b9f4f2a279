import { createHash, randomBytes } from 'node:crypto';

/** Bytes of a block; there is no other size. */
export const BLOCK_SIZE = 524_288;

const GIB = 1024 ** 3;

/** A block that was written. */
export interface Block {
  /** SHA-256, in base64. */
  readonly checksum: string;
  readonly writtenAt?: number;
  /** Kept only on request. */
  readonly data: Buffer | undefined;
}

export type SnapshotState = 'pending' | 'completed' | 'error';

const ZERO = createHash('sha256').update(Buffer.alloc(BLOCK_SIZE)).digest('base64');

/** A snapshot in a region, however it was made. */
export interface Snapshot {
  readonly id: string;
  readonly owner: string;
  /** GiB. */
  readonly volumeSize: number;
  readonly description: string;
  readonly tags: Map<string, string>;
  readonly startedAt: number;
  /** The key that it is encrypted with. */
  readonly kmsKey: string | undefined;
  readonly parent: Snapshot | undefined;
  /** What was written to it itself; its parent's blocks count too. */
  readonly blocks: Map<number, Block>;
  /** Accounts that may make volumes of it; `all` for everybody. */
  readonly sharedWith: Set<string>;
  /** `direct` for those of EBS direct. */
  readonly origin: 'direct' | 'copy' | 'import';
  /** Pending ones of EBS direct without a write for so long end in an error, in milliseconds. */
  readonly timeout: number;
  lastWrite: number;
  state: SnapshotState;
  stateMessage?: string;
  /** When a snapshot that was completed is so for EC2 too. */
  completesAt?: number;
  /** How late its blocks can be read after that, in milliseconds. */
  readonly readLag: number;
  /** How late single blocks are known of after the start, in milliseconds. */
  readonly blockLag: (index: number) => number;
  /** Images that were deregistered hold it until then. */
  heldUntil: number;
}

export const blocksIn = ({ volumeSize }: Pick<Snapshot, 'volumeSize'>): number => (volumeSize * GIB) / BLOCK_SIZE;

/** The state at some time: what was completed settles, what was left alone has failed. */
export function stateAt(snapshot: Snapshot, now: number): SnapshotState {
  if (snapshot.state !== 'pending') return snapshot.state;
  if (snapshot.completesAt !== undefined) {
    if (now >= snapshot.completesAt) snapshot.state = 'completed';
  } else if (snapshot.origin === 'direct' && now >= snapshot.lastWrite + snapshot.timeout) {
    snapshot.state = 'error';
    snapshot.stateMessage = 'The snapshot timed out.';
  }
  return snapshot.state;
}

/** A block of a snapshot: its own, or that of the nearest ancestor that has it. */
export function blockOf(snapshot: Snapshot, index: number): Block | undefined {
  for (let at: Snapshot | undefined = snapshot; at; at = at.parent) {
    const block = at.blocks.get(index);
    if (block) return block;
  }
  return undefined;
}

/** The indexes of all blocks that a snapshot has, its ancestors' included, in order. */
export function indexesOf(snapshot: Snapshot): number[] {
  const found = new Set<number>();
  for (let at: Snapshot | undefined = snapshot; at; at = at.parent)
    for (const index of at.blocks.keys()) found.add(index);
  return [...found].sort((a, b) => a - b);
}

/**
 * The SHA-256, in base64, of a block of a volume that is made from a snapshot: zeros where there is none, and in encrypted ones whatever
 * comes of decrypting nothing, which is another each time (awslabs/coldsnap 395).
 */
export function volumeChecksum(snapshot: Snapshot, index: number): string {
  const block = blockOf(snapshot, index);
  if (block) return block.checksum;
  return snapshot.kmsKey === undefined ? ZERO : randomBytes(32).toString('base64');
}
