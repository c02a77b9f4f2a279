import { inBlocks } from '../layer/blocks.ts';
import type { Codec } from '../layer/codec.ts';
import { type WrittenLayer, writeLayer } from '../layer/write-layer.ts';
import type { ImageDestination } from '../storage/destination.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { STREAM_BLOCK } from '../tar/writer.ts';

/** Blocks of one layer that are compressed at once, on the thread pool: this thread has the network to serve. */
const BLOCKS_AT_ONCE = 3;

/**
 * Compresses a tar here, on the thread pool, whatever its chunks, and sends the layer to every repository. `read` gives the
 * tar from its start, once more where an upload breaks.
 */
export const pushTar = (
  read: () => AsyncIterable<Uint8Array>,
  codec: Codec,
  repositories: readonly ImageDestination[],
): Promise<WrittenLayer> =>
  sendBlob(
    (sink) => writeLayer(inBlocks(read(), STREAM_BLOCK), codec, sink, { parallel: BLOCKS_AT_ONCE }),
    repositories,
  );
