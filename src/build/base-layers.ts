import type { Descriptor } from '../image/descriptor.ts';
import { MEDIA_TYPE } from '../image/media-type.ts';
import { UserError } from '../io/error.ts';
import { mapParallel } from '../io/parallel.ts';
import type { Codec } from '../layer/codec.ts';
import { copyBlob } from '../registry/copy.ts';
import type { Repository } from '../registry/repository.ts';
import type { BaseImage } from './base-image.ts';
import { pushTar } from './push-layer.ts';

/** Layers of a base that are brought over at once. */
const LAYERS_AT_ONCE = 3;

/** Brings the layers of a base to every repository: as they are, but plain tars compressed. Throws UserError `digest`. */
export function takeOverBase(
  base: BaseImage,
  codec: Codec,
  repositories: readonly Repository[],
  signal: AbortSignal,
): Promise<Descriptor[]> {
  return mapParallel(base.layers, LAYERS_AT_ONCE, (layer, at) =>
    layer.mediaType === MEDIA_TYPE.layer
      ? compressed(layer, base, at, codec, repositories)
      : copied(layer, base, repositories, signal),
  );
}

async function copied(
  layer: Descriptor,
  base: BaseImage,
  repositories: readonly Repository[],
  signal: AbortSignal,
): Promise<Descriptor> {
  for (const repository of repositories) await copyBlob(layer, base.repository, repository, signal);
  return layer;
}

/** Archives of dockerTools hold plain tars: sent as they are, every pull would pay for it. */
async function compressed(
  layer: Descriptor,
  base: BaseImage,
  at: number,
  codec: Codec,
  repositories: readonly Repository[],
): Promise<Descriptor> {
  const { mediaType, digest, size, diffId } = await pushTar(() => base.repository.readBlob(layer), codec, repositories);
  const promised = base.config.rootfs.diff_ids[at];
  if (diffId === promised) return { mediaType, digest, size };
  throw new UserError(
    'digest',
    `${base.repository.name}: layer ${at + 1} is ${diffId}, but its config says ${promised}`,
    {
      hint: 'The base is damaged: make it again.',
    },
  );
}
