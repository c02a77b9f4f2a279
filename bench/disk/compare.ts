import { type FileHandle, open, readFile } from 'node:fs/promises';

/** The block in which clouds take disks (EBS direct APIs): one that differs is uploaded, whatever differs in it. */
const BLOCK = 524_288;
const READ = 8 * BLOCK;

/** A part of a whole: blocks or bytes of the new disk that the old one does not have, and all that it has. */
export interface Share {
  readonly changed: number;
  readonly all: number;
}

/** Blocks of 512 KiB of the new disk that hold something, and those of them that the old one does not have in that place. */
export async function changedBlocks(before: string, after: string): Promise<Share> {
  await using old = await open(before);
  await using now = await open(after);
  const { size } = await now.stat();
  const [a, b, zeros] = [Buffer.alloc(READ), Buffer.alloc(READ), Buffer.alloc(BLOCK)];
  let changed = 0;
  let all = 0;
  for (let position = 0; position < size; position += READ) {
    await Promise.all([fill(old, a, position), fill(now, b, position)]);
    for (let at = 0; at < READ; at += BLOCK) {
      if (b.compare(zeros, 0, BLOCK, at, at + BLOCK) === 0) continue;
      all += 1;
      if (b.compare(a, at, at + BLOCK, at, at + BLOCK) !== 0) changed += 1;
    }
  }
  return { changed, all };
}

/** Reads until the buffer is full; what is behind the end of the file is zero. */
async function fill(file: FileHandle, into: Buffer, position: number): Promise<void> {
  let used = 0;
  for (let bytes = 1; bytes > 0 && used < into.length; used += bytes) {
    ({ bytesRead: bytes } = await file.read(into, used, into.length - used, position + used));
  }
  into.fill(0, used);
}

/** In casync's index: bytes before the first chunk, and of each chunk: where it ends, and its digest. */
const HEADER = 64;
const ITEM = 40;

/** Bytes of the chunks that an index names, by digest. */
function chunksOf(index: Buffer): Map<string, number> {
  const chunks = new Map<string, number>();
  let begin = 0;
  for (let at = HEADER; at + ITEM <= index.length; at += ITEM) {
    const end = Number(index.readBigUInt64LE(at));
    // The last item is a mark.
    if (end === 0) break;
    chunks.set(index.toString('hex', at + 8, at + ITEM), end - begin);
    begin = end;
  }
  return chunks;
}

/** Bytes of the chunks of a new disk that the old one does not have anywhere. Chunks of zeros alone count once, as others do. */
export async function changedChunks(before: string, after: string): Promise<Share> {
  const [old, now] = await Promise.all([before, after].map(async (path) => chunksOf(await readFile(path))));
  const sum = (chunks: readonly (readonly [string, number])[]): number =>
    chunks.reduce((bytes, [, size]) => bytes + size, 0);
  const all = [...(now ?? [])];
  return { changed: sum(all.filter(([digest]) => !old?.has(digest))), all: sum(all) };
}
