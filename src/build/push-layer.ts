import type { Descriptor } from '../image/descriptor.ts';
import { inBlocks } from '../layer/blocks.ts';
import type { Codec } from '../layer/codec.ts';
import { STREAM_BLOCK } from '../layer/tar-stream.ts';
import { type Sink, type WrittenLayer, writeLayer } from '../layer/write-layer.ts';
import type { BlobWriter, Repository } from '../registry/repository.ts';

/**
 * Writes one layer, made once, into every repository: `make` passes its bytes to the sink it is given. Either all have the
 * blob in the end or the call rejects and none was left half-written. `committed` is called when one of them has it: what
 * is sent need not be sent again, whatever the others do.
 */
export async function pushLayer(
  make: (sink: Sink) => Promise<WrittenLayer>,
  repositories: readonly Repository[],
  committed: (written: WrittenLayer) => Promise<void> = async () => {},
): Promise<WrittenLayer> {
  const writers: BlobWriter[] = [];
  try {
    for (const repository of repositories) writers.push(await repository.openBlob());
    const written = await make((chunk) => settled(writers.map((writer) => writer.write(chunk))));
    const { mediaType, digest, size } = written;
    const descriptor: Descriptor = { mediaType, digest, size };
    const commits = await Promise.allSettled(writers.map((writer) => writer.commit(descriptor)));
    if (commits.some(({ status }) => status === 'fulfilled')) await committed(written);
    for (const commit of commits) if (commit.status === 'rejected') throw commit.reason;
    return written;
  } catch (error) {
    await Promise.all(writers.map((writer) => writer.abort()));
    throw error;
  }
}

/** Blocks of one layer that are compressed at once, on the thread pool: this thread has the network to serve. */
const BLOCKS_AT_ONCE = 3;

/** The same for a tar that comes as a stream, whatever its chunks: compressed here, on the thread pool. */
export const pushTar = (
  tar: AsyncIterable<Uint8Array>,
  codec: Codec,
  repositories: readonly Repository[],
): Promise<WrittenLayer> =>
  pushLayer((sink) => writeLayer(inBlocks(tar, STREAM_BLOCK), codec, sink, { parallel: BLOCKS_AT_ONCE }), repositories);

/** Like Promise.all, but waits for all to end before it rejects: no writer is still busy when it is aborted. */
async function settled(promises: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
