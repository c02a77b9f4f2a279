import { type Compression, isZstd } from '../oci/compression.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { asChunked } from '../oci/read-chunked.ts';
import { MEDIA_TYPES, type StreamLayer, type TreeLayer } from './layer.ts';

/** What clients see of a layer's codec. */
export interface LayerForm {
  readonly mediaType: string;
  /** Whether its descriptor says where each file lies. */
  readonly isChunked: boolean;
}

/** The form that a layer is to have in an image of a compression. */
export function formOf(layer: TreeLayer | StreamLayer, compression: Compression): LayerForm {
  if (layer.kind === 'stream' && layer.encoding !== 'tar')
    return { mediaType: MEDIA_TYPES[layer.encoding], isChunked: false };
  return {
    mediaType: isZstd(compression) ? MEDIA_TYPE.layerZstd : MEDIA_TYPE.layerGzip,
    isChunked: layer.kind === 'tree' && compression.name === 'zstd:chunked',
  };
}

/**
 * Whether a layer may stand for one of a form. Another codec is another promise to clients: whoever asks for gzip must not get the zstd of the week
 * before. What is zstd:chunked is zstd as well.
 */
export const hasForm = (
  { mediaType, annotations }: Pick<Descriptor, 'mediaType' | 'annotations'>,
  form: LayerForm,
): boolean => mediaType === form.mediaType && (!form.isChunked || asChunked(annotations) !== undefined);

/** What a descriptor in a form says of the layer's bytes, of what it said where it was found or made. */
export const formAnnotations = (
  { annotations }: Pick<Descriptor, 'annotations'>,
  form: LayerForm,
): Record<string, string> => (form.isChunked ? asChunked(annotations) : undefined) ?? {};
