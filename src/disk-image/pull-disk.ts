import { open, rename, rm } from 'node:fs/promises';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { WritableFile } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import { checkSpace, type FreeSpace } from '../core/free-space.ts';
import { mapParallel } from '../core/parallel.ts';
import { BLOCK_BYTES, DIGEST_BYTES } from '../disk/block-list.ts';
import type { DiskThreads } from '../disk/disk-threads.ts';
import { dataBytes } from '../disk/extent.ts';
import { hashDisk } from '../disk/hash-disk.ts';
import { openDisk } from '../disk/open-disk.ts';
import { SparseWriter } from '../disk/sparse-writer.ts';
import type { DiskChunk } from '../oci/disk-artifact.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import { unpack } from '../oci/unpack.ts';
import type { ImageSource } from '../storage/source.ts';
import { type PublishedDisk, readBlocks, readDisk } from './read-disk.ts';

/** Chunks that are fetched at once: enough to hide the latency of a registry. */
const CHUNKS_AT_ONCE = 3;

/** Bytes that come out of the decompressor at once: most of the time goes into each step, and each waits as garbage for a while. */
const UNPACKED_AT_ONCE = 256 * 1024;

interface PullTools extends Pick<Effects, 'exec' | 'log' | 'signal'> {
  readonly openThreads: () => DiskThreads;
  readonly free: FreeSpace;
}

/**
 * Writes a published disk into the raw file `to`, zeros as holes, and compares every block with its digest before the file gets its name: it is never
 * there in part. A file of that name is replaced. Throws UserError `reference` for what is no disk, `file` where there is no room (before anything is
 * fetched), `digest` for what is not the disk that was published, and as the source does.
 */
export async function pullDisk(
  source: ImageSource,
  manifest: StoredManifest,
  to: string,
  tools: PullTools,
): Promise<PublishedDisk> {
  const published = await readDisk(source, manifest);
  const { chunks } = published.layers;
  await checkSpace({ what: `the data of ${source.name}`, bytes: dataBytes(chunks), path: to }, tools.free);
  const draft = `${to}.draft`;
  try {
    await withFileErrors(draft, 'write', async () => {
      await rm(draft, { force: true });
      await using file = await open(draft, 'wx');
      await file.truncate(published.config.size);
      await writeAll(source, chunks, file, tools);
      await file.sync();
    });
    await check(draft, source, published, tools);
    await withFileErrors(to, 'write', () => rename(draft, to));
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return published;
}

async function writeAll(
  source: ImageSource,
  chunks: readonly DiskChunk[],
  file: WritableFile,
  { log, signal }: PullTools,
): Promise<void> {
  const progress = log.progress(`chunks of ${source.name}`, dataBytes(chunks));
  let done = 0;
  try {
    await mapParallel(chunks, CHUNKS_AT_ONCE, async ({ descriptor, offset, length }) => {
      const writer = new SparseWriter(file, offset);
      const wrong = (what: string) =>
        new UserError(
          'digest',
          `${source.name}: the chunk ${descriptor.digest} unpacks to ${what}, not to ${length} bytes`,
          {
            hint: 'The disk is damaged or was changed. Do not use it; publish it again.',
          },
        );
      try {
        for await (const bytes of unpack('zstd', source.readBlob(descriptor), UNPACKED_AT_ONCE)) {
          signal.throwIfAborted();
          if (writer.position + bytes.length > offset + length) throw wrong('more');
          await writer.write(bytes);
          done += bytes.length;
          progress.update(done);
        }
      } catch (error) {
        throw isOfZstd(error) ? wrong(`nothing (${error.message})`) : error;
      }
      if (writer.position !== offset + length) throw wrong(`${writer.position - offset} bytes`);
    });
  } finally {
    progress.end();
  }
}

/** zstd's own errors; those of files and registries say by themselves what is wrong. */
const isOfZstd = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('ZSTD_');

async function check(
  path: string,
  source: ImageSource,
  published: PublishedDisk,
  { exec, signal, openThreads }: PullTools,
): Promise<void> {
  const wanted = await readBlocks(source, published);
  const disk = await openDisk(path, { exec, signal, extents: published.layers.chunks });
  try {
    const found = await hashDisk(disk, { openThreads, signal });
    const digestAt = (digests: Uint8Array, at: number): Buffer =>
      Buffer.from(digests.buffer, digests.byteOffset + at, DIGEST_BYTES);
    for (let at = 0; at < wanted.digests.length; at += DIGEST_BYTES) {
      if (digestAt(wanted.digests, at).equals(digestAt(found.digests, at))) continue;
      const block = at / DIGEST_BYTES;
      throw new UserError(
        'digest',
        `${source.name}: block ${block}, at byte ${block * BLOCK_BYTES}, is not what was published`,
        {
          hint: 'The disk is damaged or was changed. Do not use it; publish it again.',
        },
      );
    }
  } finally {
    await disk.close();
  }
}
