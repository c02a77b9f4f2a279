import { UserError } from '../../core/error.ts';
import { mapParallel } from '../../core/parallel.ts';
import { tarKey } from '../../definition/layer.ts';
import { type LayerRecord, layerAnnotations } from '../../definition/layer-record.ts';
import type { Codec } from '../../layer/codec.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { MEDIA_TYPE } from '../../oci/media-type.ts';
import { copyBlob } from '../../storage/copy.ts';
import type { BaseImage } from '../base-image.ts';
import { pushTar } from '../push-layer.ts';
import { bringReusable, findReusable, type ReuseTools } from '../reusable-layer.ts';

/** Layers of a base that are brought over at once. */
const LAYERS_AT_ONCE = 3;

export interface BaseTools extends ReuseTools {
  readonly codec: Codec;
  /** Whether layers of the image before are made again although they could be reused. */
  readonly recompress: boolean;
  readonly signal: AbortSignal;
}

/**
 * Brings the layers of a base to every repository: as they are, but plain tars compressed, unless the image before has
 * them. Throws UserError `digest`.
 */
export const takeOverBase = (base: BaseImage, tools: BaseTools): Promise<Descriptor[]> =>
  mapParallel(base.layers, LAYERS_AT_ONCE, (layer, at) =>
    layer.mediaType === MEDIA_TYPE.layer ? compressed(layer, base, at, tools) : copied(layer, base, tools),
  );

async function copied(layer: Descriptor, base: BaseImage, { repositories, signal }: BaseTools): Promise<Descriptor> {
  for (const repository of repositories) await copyBlob(layer, base.repository, repository, signal);
  return layer;
}

/** Archives of dockerTools hold plain tars: sent as they are, every pull would pay for it. */
async function compressed(layer: Descriptor, base: BaseImage, at: number, tools: BaseTools): Promise<Descriptor> {
  const promised = base.config.rootfs.diff_ids[at];
  const known =
    promised && !tools.recompress ? await findReusable(tarKey(promised), tools.codec.mediaType, tools) : undefined;
  if (known && known.others.length === 0 && (await bringReusable(known, tools.signal)))
    return described(known.descriptor, known.record);
  const sent = await pushTar(() => base.repository.readBlob(layer), tools.codec, tools.repositories);
  if (sent.diffId === promised) {
    const { diffId, unpackedSize } = sent;
    const record: LayerRecord = { key: tarKey(diffId), diffId, unpackedSize, storeHashes: [] };
    const made = described(sent, record);
    await tools.journal.add({ descriptor: made, record });
    return made;
  }
  throw new UserError(
    'digest',
    `${base.repository.name}: layer ${at + 1} is ${sent.diffId}, but its config says ${promised}`,
    {
      hint: 'The base is damaged: make it again.',
    },
  );
}

const described = (
  { mediaType, digest, size }: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>,
  record: LayerRecord,
): Descriptor => ({
  mediaType,
  digest,
  size,
  annotations: layerAnnotations(record),
});
