import { createHash } from 'node:crypto';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { Gate } from '../core/gate.ts';
import type { Progress } from '../core/log.ts';
import { mapParallel } from '../core/parallel.ts';
import { sum } from '../core/sum.ts';
import type { FoundTar, Layer, LayerTree, StreamLayer, TreeLayer } from '../image/layer.ts';
import { keyOf } from '../image/send-layer.ts';
import { layerTitle } from '../image/watch-layer.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { endDigest } from '../oci/digest.ts';
import type { FreshHashes } from './fresh-hashes.ts';
import type { LayerMemory } from './layer-memory.ts';

/** A layer whose digest is known only when all of it was read: made of the store, or listed by a tool that does not say what it is. */
type UnnamedLayer = TreeLayer | (StreamLayer & { readonly encoding: 'tar' });

interface HashTools extends Pick<Effects, 'log' | 'signal'> {
  readonly memory: LayerMemory;
  readonly fresh: FreshHashes;
  /** Opens the threads that read trees. */
  readonly openWriter: () => LayerWriter;
  readonly openTree: (layer: TreeLayer) => Promise<LayerTree>;
}

export const isUnnamed = (layer: Layer): layer is UnnamedLayer =>
  layer.kind === 'tree' || (layer.kind === 'stream' && layer.encoding === 'tar' && layer.descriptor === undefined);

/**
 * The tars of layers by their keys: from memory, or read and hashed, the largest first, and remembered. Throws UserError `digest` for one
 * that is not what its image says, and what reading it throws.
 */
export async function hashLayers(
  layers: readonly UnnamedLayer[],
  heading: string,
  tools: HashTools,
): Promise<ReadonlyMap<string, FoundTar>> {
  const { memory, log, signal } = tools;
  const tars = new Map<string, FoundTar>();
  const unread = new Map<string, UnnamedLayer>();
  for (const layer of layers) {
    const known = memory.find(keyOf(layer));
    if (known) tars.set(keyOf(layer), known);
    else unread.set(keyOf(layer), layer);
  }
  if (unread.size === 0) return tars;
  const order = [...unread].sort(([, a], [, b]) => b.size - a.size);
  const progress = log.progress(heading, sum(order.map(([, { size }]) => size)));
  let done = 0;
  const writer = tools.openWriter();
  const stop = (): void => void writer.close();
  signal.addEventListener('abort', stop);
  // Bytes of other tools are hashed on this thread, which has requests to answer.
  const here = new Gate(1);
  const show = (): void => progress.update(done, `${tars.size}/${layers.length}`);
  const onBytes = (count: number): void => {
    done += count;
    show();
  };
  const hash = (layer: UnnamedLayer): Promise<FoundTar> => {
    const begin = beginReading(layer, { log, progress, onBytes });
    return layer.kind === 'tree' ? hashTree(layer, writer, tools, begin) : here.run(() => hashStream(layer, begin));
  };
  try {
    await mapParallel(order, writer.width, async ([key, layer]) => {
      const tar = await hash(layer);
      tars.set(key, tar);
      show();
      await memory.add(key, tar);
    });
  } finally {
    signal.removeEventListener('abort', stop);
    await writer.close();
    progress.end(`${heading}: read ${unread.size} of ${layers.length}`);
  }
  return tars;
}

/** A layer that is being read. */
interface Reading {
  /** Says how many of its bytes were read so far. */
  read(bytes: number): void;
  end(): void;
}

/** Shows a layer from its first byte on, and takes its time. */
type BeginReading = (row?: number) => Reading;

function beginReading(layer: UnnamedLayer, { log, progress, onBytes }: ReadingTools): BeginReading {
  const name = layerTitle(layer);
  return (row) => {
    const part = progress.part(name, layer.size);
    const span = log.span({ track: 'layers', name, ...(row === undefined ? {} : { row }) });
    let last = 0;
    return {
      read: (bytes) => {
        part.update(bytes);
        onBytes(bytes - last);
        last = bytes;
      },
      end: () => {
        part.end();
        span.end({ bytesRead: last });
      },
    };
  };
}

interface ReadingTools extends Pick<Effects, 'log'> {
  readonly progress: Pick<Progress, 'part'>;
  /** Gets the bytes of all layers. */
  readonly onBytes: (count: number) => void;
}

/** The digest of bytes that lie somewhere, and how many they are; `onRead` gets how many were read so far. */
export async function hashBytes(
  chunks: AsyncIterable<Uint8Array>,
  onRead: (bytes: number) => void = () => {},
): Promise<Pick<Descriptor, 'digest' | 'size'>> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    size += chunk.length;
    onRead(size);
  }
  return { digest: endDigest(hash), size };
}

async function hashTree(
  layer: TreeLayer,
  writer: LayerWriter,
  { openTree, fresh }: HashTools,
  begin: BeginReading,
): Promise<FoundTar> {
  const { content, base, close } = await openTree(layer);
  let reading: Reading | undefined;
  try {
    // Nothing of it comes back.
    const { diffId, unpackedSize, treePrint } = await writer.write(
      { content, size: layer.size, compression: null, parallel: 1 },
      async (_nothing, bytes) => reading?.read(bytes),
      (row) => {
        reading = begin(row);
      },
    );
    reading?.read(unpackedSize);
    if (treePrint !== undefined) fresh.keep(diffId, treePrint);
    return { diffId, unpackedSize, base };
  } finally {
    reading?.end();
    await close();
  }
}

async function hashStream({ label, diffId: stated, read }: StreamLayer, begin: BeginReading): Promise<FoundTar> {
  const reading = begin();
  const { digest: diffId, size: unpackedSize } = await hashBytes(read(), reading.read).finally(reading.end);
  if (diffId === stated) return { diffId, unpackedSize };
  throw new UserError('digest', `${label} is ${diffId}, but the image says ${stated}`, {
    hint: 'The image is damaged, or a store path of it was changed after it was built: build it again.',
  });
}
