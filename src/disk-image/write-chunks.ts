import { createHash } from 'node:crypto';
import { countText } from '../core/count.ts';
import type { Effects } from '../core/effects.ts';
import { mapParallel } from '../core/parallel.ts';
import { sizeText } from '../core/size.ts';
import type { Disk } from '../disk/disk.ts';
import { extentFrames } from '../disk/disk-frames.ts';
import { dataBytes, type Extent, extentEnd } from '../disk/extent.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import { chunkAnnotations, DISK_TYPE } from '../oci/disk-artifact.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import { sendBlob } from '../storage/send-blob.ts';
import type { ChunkReuse } from './chunk-reuse.ts';

/** Chunks that are made and sent at once: so that one is made while another waits for its registry. */
const CHUNKS_AT_ONCE = 2;

/** Bytes that are hashed at once. */
const READ_BYTES = 1024 * 1024;

export interface ChunkOptions extends Pick<Effects, 'log' | 'signal'> {
  /** What disks before hold, and an interrupted publish has sent. */
  readonly reuse: ChunkReuse;
  /** Get the chunks that are made as they pass. */
  readonly followers?: readonly Follower[];
  /** Frames that are compressed at once. */
  readonly parallel: number;
  /** Names the disk in the log. */
  readonly label: string;
}

/** A chunk that every destination has. */
interface StoredChunk {
  readonly descriptor: Descriptor;
  readonly isReused: boolean;
}

/** The chunks of a disk, in their order; every destination has them. */
interface StoredChunks {
  readonly descriptors: readonly Descriptor[];
  readonly reused: number;
}

/**
 * Sees to it that every destination has every piece of a disk as a chunk: those that a disk before has are reused, the rest is compressed and sent, each
 * once for all destinations. Throws UserError as disk and destinations do.
 */
export async function writeChunks(
  disk: Pick<Disk, 'read'>,
  pieces: readonly Extent[],
  destinations: readonly Repository[],
  options: ChunkOptions,
): Promise<StoredChunks> {
  const { log, label } = options;
  const progress = log.progress(`${label}: chunks`, dataBytes(pieces));
  let done = 0;
  let stored: readonly StoredChunk[] = [];
  let line: string | undefined;
  try {
    stored = await mapParallel(pieces, CHUNKS_AT_ONCE, async (piece) => {
      const chunk = await writeChunk(disk, piece, destinations, options);
      done += piece.length;
      progress.update(done);
      return chunk;
    });
    const made = stored.filter(({ isReused }) => !isReused);
    const bytes = made.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    line = `${label}: ${countText(made.length, 'new chunk')} of ${stored.length}, ${sizeText(bytes)}`;
  } finally {
    progress.end(line);
  }
  const reused = stored.filter(({ isReused }) => isReused).length;
  return { descriptors: stored.map(({ descriptor }) => descriptor), reused };
}

async function writeChunk(
  disk: Pick<Disk, 'read'>,
  piece: Extent,
  destinations: readonly Repository[],
  { reuse, followers = [], parallel, signal }: ChunkOptions,
): Promise<StoredChunk> {
  if (reuse.mayHave(piece.length)) {
    const content = await hashPiece(disk, piece, signal);
    const found = await reuse.find(content, destinations, signal);
    if (found) return { descriptor: described(found, piece, content), isReused: true };
  }
  let content: Digest | undefined;
  const make = async (sink: (chunk: Uint8Array) => Promise<void>): Promise<Descriptor> => {
    const [raw, packed] = [createHash('sha256'), createHash('sha256')];
    let size = 0;
    // It is read from its first byte to its last.
    const read: Disk['read'] = async (into, position) => {
      signal.throwIfAborted();
      await disk.read(into, position);
      raw.update(into);
    };
    for await (const frame of extentFrames({ read }, piece, { parallel })) {
      packed.update(frame);
      size += frame.length;
      await sink(frame);
    }
    content = endDigest(raw);
    return { mediaType: DISK_TYPE.chunk, digest: endDigest(packed), size };
  };
  const beside = followers.map((follower) => follower.begin());
  const contentOfMade = (): Digest => {
    if (content === undefined) throw new RangeError('a chunk was sent that was not made');
    return content;
  };
  const remember = (descriptor: Descriptor): Promise<void> =>
    reuse.remember({ descriptor, content: contentOfMade(), length: piece.length });
  const made = await sendBlob(make, destinations, remember, beside);
  return { descriptor: described(made, piece, contentOfMade()), isReused: false };
}

const described = (descriptor: Descriptor, { offset, length }: Extent, content: Digest): Descriptor => ({
  ...descriptor,
  annotations: chunkAnnotations({ offset, length, content }),
});

async function hashPiece(disk: Pick<Disk, 'read'>, piece: Extent, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  const memory = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, piece.length));
  for (let { offset } = piece; offset < extentEnd(piece); offset += memory.length) {
    signal.throwIfAborted();
    const bytes = memory.subarray(0, Math.min(memory.length, extentEnd(piece) - offset));
    await disk.read(bytes, offset);
    hash.update(bytes);
  }
  return endDigest(hash);
}
