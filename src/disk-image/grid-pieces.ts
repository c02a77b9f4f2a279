import { hash } from 'node:crypto';
import { BLOCK_BYTES, type BlockList, blockCount, DIGEST_BYTES } from '../disk/block-list.ts';
import { type Extent, extentEnd } from '../disk/extent.ts';

/**
 * Chunks of a disk at most: ECR takes 500 layers (spinframework/spin issue 1787, openai/tart issue 890), and the manifest of so many has 250 kB, of the
 * 4 MiB that registries take.
 */
const MOST_CHUNKS = 450;

/** Bytes of a chunk before it is compressed: registries limit how long the upload of a blob may take (ghcr.io: ten minutes). */
const MOST_PIECE = 512 * 1024 * 1024;

/** Smaller pieces cost more in requests than they save. */
const LEAST_WINDOW = 4 * 1024 * 1024;

/** Windows with data into which a disk of another tool is divided at most. */
const WINDOWS = 150;

/** Pieces that registries take: long ones are cut from their beginning on, and where there are too many, neighbours become one. */
export function boundedPieces(pieces: readonly Extent[], { most = MOST_CHUNKS, longest = MOST_PIECE } = {}): Extent[] {
  const cut = pieces.flatMap(({ offset, length }) =>
    Array.from({ length: Math.ceil(length / longest) }, (_, at) => ({
      offset: offset + at * longest,
      length: Math.min(longest, length - at * longest),
    })),
  );
  const together = Math.ceil(cut.length / most);
  if (together <= 1) return cut;
  return Array.from({ length: Math.ceil(cut.length / together) }, (_, at) => {
    const part = cut.slice(at * together, (at + 1) * together);
    const [first = { offset: 0, length: 0 }] = part;
    return { offset: first.offset, length: extentEnd(part.at(-1) ?? first) - first.offset };
  });
}

/**
 * Cuts a disk of which nothing but its blocks is known: into windows counted from its start, each from its first block that is not zeros to its last. Where
 * the file has holes makes no difference. A window has the power of two of bytes from which on there are at most 150 with data.
 */
export function gridPieces({ size, digests }: BlockList): Extent[] {
  const zero = hash('sha256', Buffer.alloc(BLOCK_BYTES), 'buffer');
  const all = Buffer.from(digests.buffer, digests.byteOffset, digests.length);
  const data = Array.from({ length: blockCount(size) }, (_, block) => block).filter(
    (block) => zero.compare(all, block * DIGEST_BYTES, (block + 1) * DIGEST_BYTES) !== 0,
  );
  const windows = (bytes: number) => Map.groupBy(data, (block) => Math.floor((block * BLOCK_BYTES) / bytes));
  let window = LEAST_WINDOW;
  while (windows(window).size > WINDOWS) window *= 2;
  return [...windows(window).values()].map((blocks) => {
    const offset = (blocks[0] ?? 0) * BLOCK_BYTES;
    const end = Math.min(size, ((blocks.at(-1) ?? 0) + 1) * BLOCK_BYTES);
    return { offset, length: end - offset };
  });
}
