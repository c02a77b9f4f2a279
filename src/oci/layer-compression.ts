import type { Descriptor } from './descriptor.ts';
import { isChunked } from './read-chunked.ts';

/** How a layer is packed, in the words of a definition; `none` for a plain tar. */
export type LayerCompression = 'none' | 'gzip' | 'zstd' | 'zstd:chunked';

/** How media types end, OCI's, Docker's and those of disks. */
const ENDINGS: readonly (readonly [RegExp, LayerCompression])[] = [
  [/[+.]gzip$/, 'gzip'],
  [/[+.]zstd$/, 'zstd'],
  [/\.tar$/, 'none'],
];

/** How a layer is packed by what its descriptor says; null where it says nothing of it. */
export function layerCompression({
  mediaType,
  annotations,
}: Pick<Descriptor, 'mediaType' | 'annotations'>): LayerCompression | null {
  const found = ENDINGS.find(([ending]) => ending.test(mediaType))?.[1] ?? null;
  return found === 'zstd' && isChunked(annotations) ? 'zstd:chunked' : found;
}
