import { createHash } from 'node:crypto';
import type { Journal } from '../build/journal.ts';
import type { Previous, PreviousLayer } from '../build/previous-image.ts';
import { pushTar } from '../build/push-layer.ts';
import { type LayerRecord, layerAnnotations } from '../image/annotations.ts';
import { canonicalJson } from '../image/canonical-json.ts';
import type { Descriptor } from '../image/descriptor.ts';
import { type Digest, endDigest } from '../image/digest.ts';
import { UserError } from '../io/error.ts';
import { mapParallel } from '../io/parallel.ts';
import type { Codec } from '../layer/codec.ts';
import { copyBlob } from '../registry/copy.ts';
import type { Repository } from '../registry/repository.ts';
import { encodingOf, MEDIA_TYPES } from './encoding.ts';
import type { ForeignLayer } from './foreign-image.ts';
import { checkDiffId, sendPacked } from './send-packed.ts';

/** Layers under way at once, as for layers of the engine's own: more only take memory. */
const LAYERS_AT_ONCE = 3;

/** A layer that every repository has. */
export interface BroughtLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Whether it was there before. */
  readonly takenOver: boolean;
}

export interface BringTools {
  /** For layers that are plain tars. */
  readonly codec: Codec;
  readonly repositories: readonly Repository[];
  readonly previous: Previous;
  readonly journal: Journal;
  /** Whether layers are sent again although they could be taken over. */
  readonly recompress: boolean;
  readonly signal: AbortSignal;
}

/**
 * Sees to it that every repository has every layer: taken over where the image before has one of the same content, sent
 * otherwise; plain tars are compressed on the way, packed ones go as they are. Digests are those of the bytes that are
 * sent. Throws UserError `file` for what is no layer, `digest` for bytes that are not what their own descriptor says.
 */
export const bringLayers = (layers: readonly ForeignLayer[], tools: BringTools): Promise<BroughtLayer[]> =>
  mapParallel(layers, LAYERS_AT_ONCE, (layer) => bringLayer(layer, tools));

async function bringLayer(layer: ForeignLayer, tools: BringTools): Promise<BroughtLayer> {
  const encoding = await encodingOf(layer);
  if (encoding === 'tar') return bringPlain(layer, tools);
  const known = await find(layer.diffId, tools);
  const isSame =
    known?.descriptor.digest === layer.descriptor?.digest && known?.descriptor.mediaType === MEDIA_TYPES[encoding];
  if (known && isSame && (await isBrought(known, tools))) return brought(layer, known.descriptor, known.record, true);
  return remember(layer, await sendPacked(layer, encoding, tools.repositories, tools.signal), tools);
}

/** The tar is hashed before it is compressed only where the image before may have it: most often it is not read twice. */
async function bringPlain(layer: ForeignLayer, tools: BringTools): Promise<BroughtLayer> {
  const isPromised = (await find(layer.diffId, tools)) !== undefined;
  // A promise that may be wrong finds nothing, though the bytes may well be there.
  if (isPromised || (!layer.isFixed && tools.previous.layers.size > 0)) {
    const diffId = layer.hashed && layer.descriptor ? layer.descriptor.digest : await hashOf(layer);
    const known = await find(diffId, tools);
    const isSame = known?.record.diffId === diffId && known.descriptor.mediaType === tools.codec.mediaType;
    if (known && isSame && (await isBrought(known, tools))) {
      return brought(layer, known.descriptor, known.record, true);
    }
  }
  const sent = await pushTar(layer.read(), tools.codec, tools.repositories);
  checkDiffId(layer, sent.diffId);
  return remember(layer, sent, tools);
}

/** A layer of the same content in the image before, or in a publish that was broken off. */
async function find(diffId: Digest, { recompress, previous, journal }: BringTools): Promise<PreviousLayer | undefined> {
  if (recompress) return undefined;
  const key = keyOf(diffId);
  return previous.layers.get(key) ?? (await journal.find(key));
}

/** The blob of a live manifest in the same repository is there; all others are asked for, mounted or copied. */
async function isBrought(found: PreviousLayer, { repositories, signal }: BringTools): Promise<boolean> {
  try {
    for (const repository of repositories) {
      if (found.repository !== repository) await copyBlob(found.descriptor, found.repository, repository, signal);
    }
    return true;
  } catch (error) {
    if (error instanceof UserError && error.code !== 'cancelled') return false;
    throw error;
  }
}

async function hashOf(layer: ForeignLayer): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of layer.read()) hash.update(chunk);
  return endDigest(hash);
}

/** What was written of a layer; sizes in bytes. */
type Sent = Pick<Descriptor, 'mediaType' | 'digest' | 'size'> & Pick<LayerRecord, 'diffId' | 'unpackedSize'>;

async function remember(layer: ForeignLayer, sent: Sent, tools: BringTools): Promise<BroughtLayer> {
  const { mediaType, digest, size, diffId, unpackedSize } = sent;
  const record: LayerRecord = { key: keyOf(diffId), diffId, unpackedSize, storeHashes: [] };
  const made = brought(layer, { mediaType, digest, size }, record, false);
  await tools.journal.add({ descriptor: made.descriptor, record });
  return made;
}

const brought = (
  layer: ForeignLayer,
  { mediaType, digest, size }: Descriptor,
  record: LayerRecord,
  takenOver: boolean,
): BroughtLayer => ({
  descriptor: {
    mediaType,
    digest,
    size,
    annotations: { ...layer.descriptor?.annotations, ...layerAnnotations(record) },
  },
  diffId: record.diffId,
  takenOver,
});

/**
 * Names the content of a layer whose tar another tool made, as 64 hexadecimal digits: all that is known of it is the hash
 * of the tar itself.
 */
const keyOf = (diffId: Digest): string => createHash('sha256').update(canonicalJson({ diffId })).digest('hex');
