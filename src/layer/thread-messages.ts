import type { SentError } from '../core/sent-error.ts';
import type { Compression } from '../oci/compression.ts';
import type { LayerContent } from './layer-content.ts';
import type { WrittenLayer } from './write-layer.ts';

/** A layer to be written, as plain data. */
export interface LayerTask {
  readonly content: LayerContent;
  /** Bytes of its files, as far as they are known before. */
  readonly size: number;
  /** Null where the tar is only hashed: nothing of it comes back, and its digest is that of the tar. */
  readonly compression: Compression | null;
  /** Blocks of a large layer to compress at once, at least; see CompressOptions. More when other threads have nothing to do. */
  readonly parallel: number;
}

/** Numbers that all threads see: how many make layers at the moment, and how many did at once at most, by `CREW`. */
export type Crew = Int32Array<SharedArrayBuffer>;

/** Where each number of a crew stands. */
export const CREW = { atWork: 0, most: 1 } as const;

/** What a layer's thread is told. */
export type ToThread =
  | { readonly kind: 'write'; readonly task: LayerTask; readonly crew: Crew }
  /** A chunk's memory, to be used again. */
  | { readonly kind: 'taken'; readonly memory: ArrayBuffer };

/** What it answers. */
export type FromThread =
  /** The next bytes of the compressed layer, and the bytes of tar that went in so far. */
  | { readonly kind: 'chunk'; readonly memory: ArrayBuffer; readonly length: number; readonly read: number }
  /** Where nothing of it comes back: the bytes of tar that were hashed so far. */
  | { readonly kind: 'hashed'; readonly read: number }
  | { readonly kind: 'written'; readonly layer: WrittenLayer }
  | { readonly kind: 'failed'; readonly error: SentError };
