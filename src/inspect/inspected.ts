import type { LayerCompression } from '../oci/layer-compression.ts';

/** What a disk is beside its layers; offsets and sizes are in bytes. */
export interface InspectedDisk {
  readonly size: number;
  readonly identity: string;
  readonly bootMode: string;
  readonly partitions: readonly { readonly name: string; readonly offset: number; readonly length: number }[];
  /** Pieces that are not zeros alone, and bytes in them. */
  readonly chunks: number;
  readonly dataBytes: number;
}

export interface InspectedLayer {
  readonly digest: string;
  readonly mediaType: string;
  /** How it is packed; null where its descriptor does not say. */
  readonly compression: LayerCompression | null;
  /** Bytes as sent. */
  readonly size: number;
  /** Bytes as tar; null where the layer's maker does not say. */
  readonly unpackedSize: number | null;
  readonly key: string | null;
  readonly storePaths: readonly string[];
  /** Bytes of the NARs of `storePaths`, in their order; null where the layer does not say them. */
  readonly storeSizes: readonly (number | null)[];
  /** What the image's history says of the layer, where it holds no store paths. */
  readonly comment: string | null;
}

export interface InspectedImage {
  readonly platform: string;
  readonly digest: string;
  readonly config: unknown;
  /** Of the disk of a virtual machine; undefined of a container image. */
  readonly disk?: InspectedDisk;
  readonly layers: readonly InspectedLayer[];
}

export interface Inspection {
  /** What `inspect` takes, with the tag or digest that was read. */
  readonly reference: string;
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly images: readonly InspectedImage[];
}
