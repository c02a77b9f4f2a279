import { createHash } from 'node:crypto';
import { mapParallel } from '../core/parallel.ts';
import { tarKey } from '../definition/layer.ts';
import { type LayerRecord, layerAnnotations } from '../definition/layer-record.ts';
import type { Codec } from '../layer/codec.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import type { Repository } from '../storage/destination.ts';
import { encodingOf, MEDIA_TYPES } from './encoding.ts';
import type { ForeignLayer } from './foreign-image.ts';
import type { Journal } from './journal.ts';
import type { Previous } from './previous-image.ts';
import { pushTar } from './push-layer.ts';
import { bringReusable, bringToBelievers, findReusable, type ReusableLayer } from './reusable-layer.ts';
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
  const known = await find(layer.diffId, MEDIA_TYPES[encoding], tools);
  if (known && known.descriptor.digest === layer.descriptor?.digest) {
    // These are the bytes that the image itself names, so nobody has to vouch for what is in them.
    const forAll = { ...known, believers: tools.repositories, others: [] };
    if (await bringReusable(forAll, tools.signal)) return brought(layer, known.descriptor, known.record, true);
  }
  return remember(layer, await sendPacked(layer, encoding, tools.repositories, tools.signal), tools);
}

/** The tar is hashed before it is compressed only where the image before may have it: most often it is not read twice. */
async function bringPlain(layer: ForeignLayer, tools: BringTools): Promise<BroughtLayer> {
  const { codec, repositories, signal } = tools;
  let reusable: ReusableLayer | undefined;
  if ((await find(layer.diffId, codec.mediaType, tools)) !== undefined) {
    const diffId = layer.hashed && layer.descriptor ? layer.descriptor.digest : await hashOf(layer);
    const known = await find(diffId, codec.mediaType, tools);
    if (known?.record.diffId === diffId && (await bringReusable(known, signal))) {
      if (known.others.length === 0) return brought(layer, known.descriptor, known.record, true);
      reusable = known;
    }
  }
  const sent = await pushTar(() => layer.read(), codec, reusable?.others ?? repositories);
  checkDiffId(layer, sent.diffId);
  if (reusable) await bringToBelievers(descriptorOf(sent), reusable, signal);
  return remember(layer, sent, tools);
}

/** A layer of the same content in the images before, or in a publish that was broken off. */
const find = async (diffId: Digest, mediaType: string, tools: BringTools): Promise<ReusableLayer | undefined> =>
  tools.recompress ? undefined : findReusable(tarKey(diffId), mediaType, tools);

async function hashOf(layer: ForeignLayer): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of layer.read()) hash.update(chunk);
  return endDigest(hash);
}

/** What was written of a layer; sizes in bytes. */
type Sent = Pick<Descriptor, 'mediaType' | 'digest' | 'size'> & Pick<LayerRecord, 'diffId' | 'unpackedSize'>;

const descriptorOf = ({ mediaType, digest, size }: Sent): Descriptor => ({ mediaType, digest, size });

async function remember(layer: ForeignLayer, sent: Sent, tools: BringTools): Promise<BroughtLayer> {
  const { diffId, unpackedSize } = sent;
  const record: LayerRecord = { key: tarKey(diffId), diffId, unpackedSize, storeHashes: [] };
  const made = brought(layer, descriptorOf(sent), record, false);
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
    // What its maker says of these very bytes; readImage has left out what only this project may say.
    annotations: {
      ...(digest === layer.descriptor?.digest ? layer.descriptor.annotations : {}),
      ...layerAnnotations(record),
    },
  },
  diffId: record.diffId,
  takenOver,
});
