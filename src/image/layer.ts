import type { LayerRecord } from '../definition/layer-record.ts';
import type { LayerContent } from '../layer/layer-content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import type { ImageSource } from '../storage/source.ts';

/** How the bytes of a layer are packed where they lie. */
export type Encoding = 'tar' | 'gzip' | 'zstd';

/** The media type of a layer that is sent as it is. */
export const MEDIA_TYPES: Readonly<Record<Encoding, string>> = {
  tar: MEDIA_TYPE.layer,
  gzip: MEDIA_TYPE.layerGzip,
  zstd: MEDIA_TYPE.layerZstd,
};

/** A layer of store paths or of a merged root. Its tar is made, compressed and hashed on another thread. */
export interface TreeLayer {
  readonly kind: 'tree';
  /** For messages: what is in it. */
  readonly label: string;
  /** For tables: what is in it, in a few words. */
  readonly title: string;
  /** Its store paths, the largest first; none where it is made of anything else. */
  readonly paths: readonly string[];
  /** Names the content before anything is read: see `layerKey`. */
  readonly key: string;
  /** Bytes to read, about: the largest layers are made first. */
  readonly size: number;
  /** What its descriptor says of it, for a later publish. */
  record(tar: FoundTar): LayerRecord;
  open(): Promise<LayerTree>;
}

/** What is known of a tar that was made, now or by an earlier publish. */
export type FoundTar = Pick<LayerRecord, 'diffId' | 'unpackedSize' | 'base'>;

/** The content of a tree layer, which can be read until it is closed. */
export interface LayerTree {
  readonly content: LayerContent;
  /** What of its base the layer depends on, as text; see `BaseRecord`. */
  readonly base?: string | undefined;
  close(): Promise<void>;
}

/**
 * A layer whose bytes another tool made, and which are hashed as they pass through here: plain tars are compressed on the
 * way, packed layers go as they are.
 */
export interface StreamLayer {
  readonly kind: 'stream';
  /** For messages: where it lies. */
  readonly label: string;
  readonly encoding: Encoding;
  /** The SHA-256 of its tar as its image states it; a layer that comes out otherwise is refused. */
  readonly diffId: Digest;
  /** Whether `diffId` is known to be right, so that a tar need not be hashed before an equal layer is reused for it. */
  readonly isVerified: boolean;
  /** What its maker says of the bytes as they lie; reading checks them against it. */
  readonly descriptor: Descriptor | undefined;
  /** Bytes to read, about; 0 where that is not known. */
  readonly size: number;
  /** The bytes from their start; again where an upload broke. */
  read(): AsyncIterable<Uint8Array>;
}

/** A layer that lies somewhere as it is to be: mounted or copied, and never looked into. */
export interface BlobLayer {
  readonly kind: 'blob';
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly from: ImageSource;
}

/**
 * A layer of an image from any source. Digest and size are known when it is written, not before: layers are made while
 * they are sent, and kept nowhere.
 */
export type Layer = TreeLayer | StreamLayer | BlobLayer;

/** A layer that every destination has. */
export interface StoredLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  /** Whether it was written by an earlier publish, or for another image. */
  readonly isReused: boolean;
}
