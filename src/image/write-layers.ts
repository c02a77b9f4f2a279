import { createHash } from 'node:crypto';
import { countText } from '../core/count.ts';
import type { Effects } from '../core/effects.ts';
import { mapParallel } from '../core/parallel.ts';
import { sizeText } from '../core/size.ts';
import { layerRecord } from '../definition/layer-record.ts';
import type { Codec } from '../layer/codec.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import { copyBlobToAll } from '../storage/copy.ts';
import type { Repository } from '../storage/destination.ts';
import type { Follower } from '../storage/follower.ts';
import type { Image } from './image.ts';
import type { BlobLayer, Layer, StoredLayer, StreamLayer, TreeLayer } from './layer.ts';
import { formAnnotations, formOf, type LayerForm } from './layer-form.ts';
import type { LayerOutcome, LayerWay } from './layer-outcome.ts';
import { whyMade } from './layer-reason.ts';
import { copyOrMount, type Reusable, type Reuse } from './reuse.ts';
import { checkLayer, keyOf, type LayerToSend, sendLayer, storedLayer } from './send-layer.ts';
import { bytesName, type SharedLayers, type Threads, underWay } from './shared-layers.ts';
import { watchLayer } from './watch-layer.ts';

/** Look-ups and mounts; they only wait. */
const LOOKUPS_AT_ONCE = 16;

export interface LayerOptions extends Pick<Effects, 'log' | 'signal' | 'clock'> {
  readonly reuse: Reuse;
  /** Get the layers that are made or copied as they pass. */
  readonly followers?: readonly Follower[];
  /** What plain layers are compressed with. */
  readonly codec: Codec;
  /** What it shares with other images of the process. */
  readonly shared: SharedLayers;
}

/**
 * Sees to it that every destination has every layer of an image: what lies somewhere is mounted or copied, what is known
 * from before is reused, and the rest is made and sent.
 */
export async function writeLayers(
  image: Image,
  destinations: readonly Repository[],
  options: LayerOptions,
): Promise<PlacedLayer[]> {
  const found = await mapParallel(image.layers, LOOKUPS_AT_ONCE, (layer) =>
    lookUp(layer, image, destinations, options),
  );
  const own = found.slice(image.inherited);
  const reused = own.filter((each) => !isToSend(each)).length;
  if (reused > 0) options.log.info(`${image.system}: reusing ${reused} of ${own.length} layers`);
  const toSend = found.filter(isToSend);
  const sent = toSend.length > 0 ? await sendLayers(image, toSend, destinations, options) : new Map();
  return found.flatMap((each, at): PlacedLayer | readonly [] => {
    if (!isToSend(each)) return { ...each, way: isBlob(image.layers[at]) ? 'copied' : 'reused' };
    return sent.get(each) ?? [];
  });
}

/** A layer that every destination has, and how it got there. */
export interface PlacedLayer extends StoredLayer, Partial<Pick<LayerOutcome, 'why' | 'milliseconds'>> {
  readonly way: LayerWay;
}

const isBlob = (layer: Layer | undefined): boolean => layer?.kind === 'blob';

const isToSend = (found: StoredLayer | LayerToSend): found is LayerToSend => 'layer' in found;

/** What every destination has of a layer, or what is still to be sent. */
async function lookUp(
  layer: Layer,
  { compression }: Image,
  destinations: readonly Repository[],
  options: LayerOptions,
): Promise<StoredLayer | LayerToSend> {
  const { shared } = options;
  if (layer.kind === 'blob') {
    const make = () => shared.streams.run(() => copyLayer(layer, destinations, options));
    return (await shared.ensure(bytesName(layer, compression), destinations, { ...options, make, check: () => {} }))
      .stored;
  }
  const form = formOf(layer, compression);
  const reusable = await findReusable(layer, form, destinations, options);
  if (!reusable || !(await copyOrMount(reusable, options.signal))) return { layer };
  if (reusable.unknownAt.length > 0) return { layer, reusable };
  const { descriptor, record } = reusable;
  return storedLayer(layer, { ...descriptor, annotations: formAnnotations(descriptor, form) }, record, true);
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
  form: LayerForm,
  destinations: readonly Repository[],
  { shared, reuse }: LayerOptions,
): Promise<Reusable | undefined> {
  const isPacked = layer.kind === 'stream' && layer.encoding !== 'tar';
  const found = await reuse.find(keyOf(layer), form, destinations);
  if (!found || layer.kind === 'tree') return found;
  // A key says nothing of the tar that an image there claims for it.
  if (found.record.diffId !== layer.diffId) return undefined;
  if (isPacked) {
    if (found.descriptor.digest !== layer.descriptor?.digest) return undefined;
    // These are the bytes that the image itself names, so nobody has to vouch for what is in them.
    return { ...found, knownAt: destinations, unknownAt: [] };
  }
  // Hashed only where something is known: most often a tar is not read twice.
  return layer.isVerified || (await shared.streams.run(() => hashOf(layer))) === layer.diffId ? found : undefined;
}

async function hashOf(layer: StreamLayer): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of layer.read()) hash.update(chunk);
  return endDigest(hash);
}

/**
 * Makes layers and sends them, the largest first, so that none is left to run alone at the end; those that were made for another image of the process
 * come from there. Nothing is sent when the image cannot be prepared for it.
 */
async function sendLayers(
  image: Image,
  toSend: readonly LayerToSend[],
  destinations: readonly Repository[],
  options: LayerOptions,
): Promise<Map<LayerToSend, PlacedLayer>> {
  const { log, signal, shared, clock } = options;
  await image.prepare?.(toSend.map(({ layer }) => layer));
  const total = toSend.reduce((sum, { layer }) => sum + layer.size, 0);
  const progress = log.progress(`${image.system}: layers`, total);
  let done = 0;
  const sent = new Map<LayerToSend, PlacedLayer>();
  const own: StoredLayer[] = [];
  // Lines of the journal, many of which are written together.
  const noted: Promise<void>[] = [];
  const onBytes = (count: number): void => {
    done += count;
    progress.update(done, `${sent.size}/${toSend.length}`);
  };
  let line: string | undefined;
  const sendAll = async ({ writer, sending }: Threads) => {
    const stop = (): void => void writer.close();
    signal.addEventListener('abort', stop);
    const sendOne = async (each: LayerToSend): Promise<void> => {
      const { layer } = each;
      // More than a thread's share would be left to run alone at the end, so it gets cores by its size from the start.
      const parallel = Math.min(writer.width, Math.ceil((layer.size * writer.width) / total) || 1);
      const tools = { ...options, compression: image.compression, writer, parallel };
      let begun = clock.now();
      let milliseconds = 0;
      const onStart = (): void => {
        begun = clock.now();
      };
      const send = () =>
        sending.run(async () => {
          const made = await watchLayer(layer, { log, progress, system: image.system, onBytes }, (onBytes) =>
            sendLayer(each, destinations, { ...tools, onStart, onBytes }),
          );
          milliseconds = Math.max(0, clock.now() - begun);
          return made;
        });
      const { stored, isOwn } = await shared.ensure(bytesName(layer, image.compression), destinations, {
        ...options,
        make: () => (layer.kind === 'stream' ? shared.streams.run(send) : send()),
        check: ({ diffId }) => checkLayer(layer, { diffId }, options.reuse),
        // It was not found by its key, so no destination is expected to have its bytes.
        isNew: true,
      });
      if (isOwn) {
        own.push(stored);
        const before = { ...each, before: options.reuse, form: formOf(layer, image.compression) };
        sent.set(each, { ...stored, way: 'made', why: whyMade(before), milliseconds });
        return;
      }
      onBytes(layer.size);
      const other = ofAnother(layer, stored, options.reuse);
      noted.push(other.noted);
      sent.set(each, { ...other.stored, way: 'shared' });
    };
    try {
      const order = [...toSend].sort((a, b) => b.layer.size - a.layer.size);
      await mapParallel(order, underWay(writer.width), sendOne);
      await Promise.all(noted);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  };
  try {
    await shared.withThreads(sendAll);
    const bytes = own.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    const others = sent.size - own.length;
    line = `${image.system}: ${countText(own.length, 'new layer')}, ${sizeText(bytes)}${others > 0 ? `, and ${others} that other images have` : ''}`;
  } finally {
    progress.end(line);
  }
  return sent;
}

/** A layer that was made for another image, as this one's: what it says of itself is the same, but for what its maker says of the bytes. */
function ofAnother(layer: TreeLayer | StreamLayer, { descriptor }: StoredLayer, reuse: Reuse) {
  const record = layerRecord(descriptor);
  if (record === undefined) throw new Error('a layer that was made has a record');
  const stored = storedLayer(layer, descriptor, record, true);
  return { stored, noted: reuse.remember({ descriptor: stored.descriptor, record }) };
}
