import { MEDIA_TYPE } from '../../oci/media-type.ts';
import type { ExistingImage } from '../existing-image.ts';
import type { Layer } from '../layer.ts';

/**
 * The layers of a base, as layers of the image on top of it: as they are, but plain tars, which archives of dockerTools
 * hold, are compressed, or every pull would pay for it.
 */
export const baseLayers = ({ repository, layers, config }: ExistingImage): Layer[] =>
  layers.flatMap((descriptor, at): Layer[] => {
    // readImage has found as many diffIDs as layers.
    const diffId = config.rootfs.diff_ids[at];
    if (diffId === undefined) return [];
    if (descriptor.mediaType !== MEDIA_TYPE.layer) return [{ kind: 'blob', descriptor, diffId, from: repository }];
    return [
      {
        kind: 'stream',
        label: `${repository.name}: layer ${at + 1}`,
        encoding: 'tar',
        diffId,
        // The base is named by what is in it: its digest, or its store path.
        isVerified: true,
        descriptor,
        size: descriptor.size,
        read: () => repository.readBlob(descriptor),
      },
    ];
  });
