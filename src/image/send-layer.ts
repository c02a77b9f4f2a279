import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { NO_SPAN } from '../core/span.ts';
import { tarKey } from '../definition/layer.ts';
import { type LayerRecord, layerAnnotations } from '../definition/layer-record.ts';
import { inBlocks } from '../layer/blocks.ts';
import type { Codec } from '../layer/codec.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import { type Sink, type WrittenLayer, writeLayer } from '../layer/write-layer.ts';
import type { Compression } from '../oci/compression.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { asChunked } from '../oci/read-chunked.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import { sendBlob } from '../storage/send-blob.ts';
import { STREAM_BLOCK } from '../tar/writer.ts';
import { type FoundTar, MEDIA_TYPES, type StoredLayer, type StreamLayer, type TreeLayer } from './layer.ts';
import { passPacked } from './pass-packed.ts';
import { copyToKnown, type Reusable, type Reuse } from './reuse.ts';

/** Blocks of one tar that are compressed at once, on the thread pool: this thread has the network to serve. */
const BLOCKS_AT_ONCE = 3;

export interface LayerToSend {
  readonly layer: TreeLayer | StreamLayer;
  /** What some destinations may reuse; the layer is made for the others alone. */
  readonly reusable?: Reusable;
}

interface SendTools extends Pick<Effects, 'log' | 'signal'> {
  readonly reuse: Reuse;
  readonly followers?: readonly Follower[];
  readonly compression: Compression;
  /** The same, for tars that are compressed on this thread. */
  readonly codec: Codec;
  readonly writer: LayerWriter;
  /** Blocks of a tree that are compressed at once. */
  readonly parallel: number;
  /** Called when its first byte is read: it may have waited for a thread. */
  readonly onStart: () => void;
  readonly onBytes: (count: number) => void;
}

/**
 * Makes one layer, once, and sends it to every destination that does not have it. Throws UserError `digest` for one that is
 * not what its image says, or that differs from what was published under the same key: nothing of it is kept. Throws `file`
 * for one that cannot be read or unpacked, and what the destinations throw.
 */
export async function sendLayer(
  { layer, reusable }: LayerToSend,
  destinations: readonly Repository[],
  tools: SendTools,
): Promise<StoredLayer> {
  const source = await open(layer, tools);
  try {
    const targets = reusable?.unknownAt ?? (await withoutBlob(layer, destinations));
    const count = countOnce(tools.onBytes);
    let stored: StoredLayer | undefined;
    const keep = async (made: WrittenLayer): Promise<StoredLayer> => {
      const record = recordOf(layer, { ...made, base: source.base });
      stored = storedLayer(layer, made, record, false);
      await tools.reuse.remember({ descriptor: stored.descriptor, record });
      return stored;
    };
    const made = await sendBlob(
      async (sink) => {
        const written = await source.write((chunk, read) => {
          count(read);
          return sink(chunk);
        });
        checkLayer(layer, written, tools.reuse);
        return written;
      },
      targets,
      async (written) => void (await keep(written)),
      tools.followers?.map((follower) => follower.begin()),
    );
    // Where every destination had the bytes already, they were only looked at.
    stored ??= await keep(made);
    if (reusable) await copyToKnown(stored.descriptor, reusable, tools.signal);
    return stored;
  } finally {
    await source.close();
  }
}

/** A layer whose bytes can be written, more than once, until it is closed. */
interface OpenLayer {
  readonly write: (sink: Sink) => Promise<WrittenLayer>;
  readonly base?: string | undefined;
  readonly close: () => Promise<void>;
}

async function open(
  layer: TreeLayer | StreamLayer,
  { compression, codec, writer, parallel, signal, log, onStart }: SendTools,
): Promise<OpenLayer> {
  if (layer.kind === 'tree') {
    const { content, base, close } = await layer.open();
    const write = async (sink: Sink): Promise<WrittenLayer> => {
      let span = NO_SPAN;
      try {
        const made = await writer.write({ content, size: layer.size, compression, parallel }, sink, (row) => {
          onStart();
          span = log.span({ track: 'layers', name: layer.title, row });
        });
        span.end({ bytesRead: made.unpackedSize, bytesMade: made.size });
        return made;
      } finally {
        span.end({ failed: 'yes' });
      }
    };
    return { write, base, close };
  }
  const { encoding } = layer;
  return {
    write: (sink) => {
      onStart();
      return encoding === 'tar'
        ? writeLayer(inBlocks(layer.read(), STREAM_BLOCK), codec, sink, { parallel: BLOCKS_AT_ONCE })
        : passPacked(layer, encoding, sink, signal);
    },
    close: async () => {},
  };
}

/** Counts bytes from how many were read so far; those of a layer that is made again count once. */
const countOnce = (onBytes: (count: number) => void): ((read: number) => void) => {
  let most = 0;
  return (read) => {
    onBytes(Math.max(0, read - most));
    most = Math.max(most, read);
  };
};

/** The destinations that need the bytes of a layer: a packed layer has its digest, so each is asked. */
async function withoutBlob(
  layer: TreeLayer | StreamLayer,
  destinations: readonly Repository[],
): Promise<readonly Repository[]> {
  if (layer.kind === 'tree' || layer.encoding === 'tar' || !layer.descriptor) return destinations;
  const descriptor = { ...layer.descriptor, mediaType: MEDIA_TYPES[layer.encoding] };
  const without: Repository[] = [];
  for (const destination of destinations) {
    if (!(await destination.hasBlob(descriptor))) without.push(destination);
  }
  return without;
}

/** Names the content of a layer before it is read. */
export const keyOf = (layer: TreeLayer | StreamLayer): string =>
  layer.kind === 'tree' ? layer.key : tarKey(layer.diffId);

function recordOf(layer: TreeLayer | StreamLayer, tar: FoundTar): LayerRecord {
  if (layer.kind === 'tree') return layer.record(tar);
  const { diffId, unpackedSize } = tar;
  return { key: tarKey(diffId), diffId, unpackedSize, storeHashes: [] };
}

/** A layer that was sent now, or by an earlier publish, which left a record of its tar. */
export function storedLayer(
  layer: TreeLayer | StreamLayer,
  { mediaType, digest, size, annotations: said }: Pick<Descriptor, 'mediaType' | 'digest' | 'size' | 'annotations'>,
  tar: FoundTar,
  isReused: boolean,
): StoredLayer {
  // What its maker says of these very bytes; what only this project may say was left out when it was read.
  const told = layer.kind === 'stream' && digest === layer.descriptor?.digest ? layer.descriptor.annotations : {};
  const annotations = { ...told, ...asChunked(said), ...layerAnnotations(recordOf(layer, tar)) };
  return { descriptor: { mediaType, digest, size, annotations }, diffId: tar.diffId, isReused };
}

/** What has one key must have one content, or layers could not be reused unread. Throws UserError `digest`. */
export function checkLayer(
  layer: TreeLayer | StreamLayer,
  { diffId }: Pick<WrittenLayer, 'diffId'>,
  reuse: Pick<Reuse, 'layersOf'>,
): void {
  if (layer.kind === 'stream') {
    if (diffId === layer.diffId) return;
    throw new UserError('digest', `${layer.label} is ${diffId}, but the image says ${layer.diffId}`, {
      hint: 'The image is damaged, or a store path of it was changed after it was built: build it again.',
    });
  }
  const other = reuse.layersOf(layer.key).find(({ record }) => record.diffId !== diffId);
  if (!other) return;
  throw new UserError(
    'digest',
    `a layer of the same content as in ${other.repository.name} differs: ${diffId} here, ${other.record.diffId} there (${layer.label})`,
    {
      hint:
        'Most likely a store path was changed after it was built: compare with `nix-store --verify-path`, on the ' +
        'machine that published before too. If the image there is not to be trusted, publish once with --no-reuse.',
    },
  );
}
