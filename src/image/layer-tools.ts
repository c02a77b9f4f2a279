import type { Log } from '../core/log.ts';
import type { Layer } from '../definition/layer.ts';
import type { LayerWriter } from '../layer/layer-threads.ts';
import type { Compression } from '../oci/compression.ts';
import type { Repository } from '../storage/destination.ts';
import type { BaseFacts } from './from-definition/base-facts.ts';
import type { ImagePaths } from './from-definition/image-paths.ts';
import type { Journal } from './journal.ts';
import type { Previous } from './previous-image.ts';
import type { ReusableLayer } from './reusable-layer.ts';

/** A layer to make, and what is known of its content already. */
export interface KeyedLayer {
  readonly layer: Layer;
  readonly key: string;
  /** A layer that some repositories may reuse; it is made for the others alone. */
  readonly reusable?: ReusableLayer | undefined;
}

export interface LayerTools {
  readonly compression: Compression;
  /** What that makes. */
  readonly mediaType: string;
  readonly openWriter: () => LayerWriter;
  readonly repositories: readonly Repository[];
  readonly previous: Previous;
  readonly journal: Journal;
  /** Whether layers of the image before are made again although they could be taken over. */
  readonly recompress: boolean;
  /** Gets store paths ready to be read, layer by layer. */
  readonly openPaths: (demand: readonly (readonly string[])[]) => Promise<ImagePaths>;
  /** About the base below the layers, if there is one. */
  readonly facts: BaseFacts | undefined;
  readonly tempDir: string;
  readonly log: Log;
  readonly signal: AbortSignal;
}
