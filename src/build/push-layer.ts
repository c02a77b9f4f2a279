import type { Codec, Release } from '../layer/codec.ts';
import { type WrittenLayer, writeLayer } from '../layer/write-layer.ts';
import type { BlobWriter, Repository } from '../registry/repository.ts';

/**
 * Writes one tar stream, compressed once, into every repository. Either all have the blob in the end or the call
 * rejects and none was left half-written.
 */
export async function pushLayer(
  tar: AsyncIterable<Uint8Array>,
  codec: Codec,
  repositories: readonly Repository[],
  release?: Release,
): Promise<WrittenLayer> {
  const writers: BlobWriter[] = [];
  try {
    for (const repository of repositories) writers.push(await repository.openBlob());
    const written = await writeLayer(
      tar,
      codec,
      async (chunk) => {
        await settled(writers.map((writer) => writer.write(chunk)));
      },
      release,
    );
    const { mediaType, digest, size } = written;
    await settled(writers.map((writer) => writer.commit({ mediaType, digest, size })));
    return written;
  } catch (error) {
    await Promise.all(writers.map((writer) => writer.abort()));
    throw error;
  }
}

/** Like Promise.all, but waits for all to end before it rejects: no writer is still busy when it is aborted. */
async function settled(promises: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
