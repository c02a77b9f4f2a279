import { createHash } from 'node:crypto';
import { countText } from '../core/count.ts';
import type { Effects } from '../core/effects.ts';
import { Gate } from '../core/gate.ts';
import { mapParallel } from '../core/parallel.ts';
import { sizeText } from '../core/size.ts';
import type { Codec } from '../layer/codec.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import { copyBlobToAll } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import type { Image } from './image.ts';
import {
  type BlobLayer,
  type Layer,
  MEDIA_TYPES,
  type StoredLayer,
  type StreamLayer,
  type TreeLayer,
} from './layer.ts';
import { copyOrMount, type Reusable, type Reuse } from './reuse.ts';
import { keyOf, type LayerToSend, sendLayer, storedLayer } from './send-layer.ts';

/** Look-ups and mounts; they only wait. */
const LOOKUPS_AT_ONCE = 16;

/** Layers whose bytes pass through this thread at once: more only take memory. */
const STREAMS_AT_ONCE = 3;

/** Layers that are still being sent while all threads make others. */
const SENT_BEHIND = 1;

export interface LayerOptions extends Pick<Effects, 'log' | 'signal'> {
  readonly reuse: Reuse;
  /** Get the layers that are made or copied as they pass. */
  readonly followers?: readonly Follower[];
  /** What plain layers are compressed with. */
  readonly codec: Codec;
  /** Opens the threads that make layers of trees. */
  readonly openWriter: () => LayerWriter;
}

/**
 * Sees to it that every destination has every layer of an image: what lies somewhere is mounted or copied, what is known
 * from before is reused, and the rest is made and sent.
 */
export async function writeLayers(
  image: Image,
  destinations: readonly Repository[],
  options: LayerOptions,
): Promise<StoredLayer[]> {
  const streams = new Gate(STREAMS_AT_ONCE);
  const found = await mapParallel(image.layers, LOOKUPS_AT_ONCE, (layer) =>
    lookUp(layer, destinations, streams, options),
  );
  const own = found.slice(image.inherited);
  const reused = own.filter((each) => !isToSend(each)).length;
  if (reused > 0) options.log.info(`${image.system}: reusing ${reused} of ${own.length} layers`);
  const toSend = found.filter(isToSend);
  const sent = toSend.length > 0 ? await sendLayers(image, toSend, destinations, { ...options, streams }) : new Map();
  return found.flatMap((each) => (isToSend(each) ? (sent.get(each) ?? []) : each));
}

const isToSend = (found: StoredLayer | LayerToSend): found is LayerToSend => 'layer' in found;

/** What every destination has of a layer, or what is still to be sent. */
async function lookUp(
  layer: Layer,
  destinations: readonly Repository[],
  streams: Gate,
  options: LayerOptions,
): Promise<StoredLayer | LayerToSend> {
  if (layer.kind === 'blob') return streams.run(() => copyLayer(layer, destinations, options));
  const reusable = await findReusable(layer, destinations, streams, options);
  if (!reusable || !(await copyOrMount(reusable, options.signal))) return { layer };
  if (reusable.unknownAt.length > 0) return { layer, reusable };
  return storedLayer(layer, reusable.descriptor, reusable.record, true);
}

async function copyLayer(
  { descriptor, diffId, from }: BlobLayer,
  destinations: readonly Repository[],
  options: LayerOptions,
): Promise<StoredLayer> {
  await copyBlobToAll(descriptor, from, destinations, options);
  return { descriptor, diffId, isReused: false };
}

/** A layer of the same content, of an image before or of an interrupted publish. */
async function findReusable(
  layer: TreeLayer | StreamLayer,
  destinations: readonly Repository[],
  streams: Gate,
  { codec, reuse }: LayerOptions,
): Promise<Reusable | undefined> {
  const isPacked = layer.kind === 'stream' && layer.encoding !== 'tar';
  const mediaType = isPacked ? MEDIA_TYPES[layer.encoding] : codec.mediaType;
  const found = await reuse.find(keyOf(layer), mediaType, destinations);
  if (!found || layer.kind === 'tree') return found;
  // A key says nothing of the tar that an image there claims for it.
  if (found.record.diffId !== layer.diffId) return undefined;
  if (isPacked) {
    if (found.descriptor.digest !== layer.descriptor?.digest) return undefined;
    // These are the bytes that the image itself names, so nobody has to vouch for what is in them.
    return { ...found, knownAt: destinations, unknownAt: [] };
  }
  // Hashed only where something is known: most often a tar is not read twice.
  return layer.isVerified || (await streams.run(() => hashOf(layer))) === layer.diffId ? found : undefined;
}

async function hashOf(layer: StreamLayer): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of layer.read()) hash.update(chunk);
  return endDigest(hash);
}

/**
 * Makes layers and sends them, the largest first, so that none is left to run alone at the end. Nothing is sent when the
 * image cannot be prepared for it.
 */
async function sendLayers(
  image: Image,
  toSend: readonly LayerToSend[],
  destinations: readonly Repository[],
  { streams, ...options }: LayerOptions & { readonly streams: Gate },
): Promise<Map<LayerToSend, StoredLayer>> {
  const { log, signal } = options;
  await image.prepare?.(toSend.map(({ layer }) => layer));
  const total = toSend.reduce((sum, { layer }) => sum + layer.size, 0);
  const progress = log.progress(`${image.system}: layers`, total);
  let done = 0;
  const sent = new Map<LayerToSend, StoredLayer>();
  const onBytes = (count: number): void => {
    done += count;
    progress.update(done, `${sent.size}/${toSend.length}`);
  };
  const writer = options.openWriter();
  const stop = (): void => void writer.close();
  signal.addEventListener('abort', stop);
  const sendOne = async (each: LayerToSend): Promise<void> => {
    // More than its share would be left to run alone at the end, so it gets the other cores too.
    const parallel = each.layer.size * writer.width > total ? writer.width : 1;
    const tools = { ...options, compression: image.compression, writer, parallel, onBytes };
    sent.set(each, await sendLayer(each, destinations, tools));
  };
  let line: string | undefined;
  try {
    const order = [...toSend].sort((a, b) => b.layer.size - a.layer.size);
    await mapParallel(order, writer.width + SENT_BEHIND, (each) =>
      each.layer.kind === 'stream' ? streams.run(() => sendOne(each)) : sendOne(each),
    );
    const bytes = [...sent.values()].reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    line = `${image.system}: ${countText(sent.size, 'new layer')}, ${sizeText(bytes)}`;
  } finally {
    signal.removeEventListener('abort', stop);
    await writer.close();
    progress.end(line);
  }
  return sent;
}
