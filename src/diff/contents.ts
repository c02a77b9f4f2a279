import type { InspectedImage } from '../inspect/inspected.ts';

/** What is known of one platform's image without reading a layer. */
export interface Contents {
  /** As `linux/amd64`. */
  readonly platform: string;
  /** Of the manifest; null for what is not made yet. */
  readonly digest: string | null;
  /** Null where the layers are not made yet. */
  readonly layers: readonly Layer[] | null;
  /** The store paths in it; null where its maker does not say which there are. */
  readonly paths: readonly StorePathSize[] | null;
}

interface Layer {
  readonly digest: string;
  /** Bytes as sent. */
  readonly size: number;
}

export interface StorePathSize {
  readonly path: string;
  /** Bytes of its NAR; null where they are not known. */
  readonly size: number | null;
}

/** What an image that was looked at holds. */
export function contentsOf({ platform, digest, layers }: InspectedImage): Contents {
  const sizes = new Map<string, number | null>();
  for (const layer of layers) {
    for (const [at, path] of layer.storePaths.entries()) sizes.set(path, layer.storeSizes[at] ?? null);
  }
  return {
    platform,
    digest,
    layers: layers.map((layer) => ({ digest: layer.digest, size: layer.size })),
    paths: sizes.size === 0 ? null : [...sizes].map(([path, size]) => ({ path, size })),
  };
}
