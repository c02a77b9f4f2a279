import { createHash } from 'node:crypto';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { Gate } from '../core/gate.ts';
import { mapParallel } from '../core/parallel.ts';
import type { FoundTar, Layer, LayerTree, StreamLayer, TreeLayer } from '../image/layer.ts';
import { keyOf } from '../image/send-layer.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { endDigest } from '../oci/digest.ts';
import type { LayerMemory } from './layer-memory.ts';

/** A layer whose digest is known only when all of it was read: made of the store, or listed by a tool that does not say what it is. */
type UnnamedLayer = TreeLayer | (StreamLayer & { readonly encoding: 'tar' });

interface HashTools extends Pick<Effects, 'log' | 'signal'> {
  readonly memory: LayerMemory;
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
  const progress = log.progress(
    heading,
    order.reduce((bytes, [, { size }]) => bytes + size, 0),
  );
  let done = 0;
  const writer = tools.openWriter();
  const stop = (): void => void writer.close();
  signal.addEventListener('abort', stop);
  // Bytes of other tools are hashed on this thread, which has requests to answer.
  const here = new Gate(1);
  try {
    await mapParallel(order, writer.width, async ([key, layer]) => {
      const tar =
        layer.kind === 'tree' ? await hashTree(layer, writer, tools) : await here.run(() => hashStream(layer));
      tars.set(key, tar);
      done += layer.size;
      progress.update(done, `${tars.size}/${layers.length}`);
      await memory.add(key, tar);
    });
  } finally {
    signal.removeEventListener('abort', stop);
    await writer.close();
    progress.end(`${heading}: read ${unread.size} of ${layers.length}`);
  }
  return tars;
}

/** The digest of bytes that lie somewhere, and how many they are. */
export async function hashBytes(chunks: AsyncIterable<Uint8Array>): Promise<Pick<Descriptor, 'digest' | 'size'>> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    size += chunk.length;
  }
  return { digest: endDigest(hash), size };
}

async function hashTree(layer: TreeLayer, writer: LayerWriter, { openTree }: HashTools): Promise<FoundTar> {
  const { content, base, close } = await openTree(layer);
  try {
    // Nothing of it comes back.
    const { diffId, unpackedSize } = await writer.write({ content, compression: null, parallel: 1 }, async () => {});
    return { diffId, unpackedSize, base };
  } finally {
    await close();
  }
}

async function hashStream({ label, diffId: stated, read }: StreamLayer): Promise<FoundTar> {
  const { digest: diffId, size: unpackedSize } = await hashBytes(read());
  if (diffId === stated) return { diffId, unpackedSize };
  throw new UserError('digest', `${label} is ${diffId}, but the image says ${stated}`, {
    hint: 'The image is damaged, or a store path of it was changed after it was built: build it again.',
  });
}
