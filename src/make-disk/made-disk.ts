import type { Extent } from '../disk/extent.ts';
import type { Partition } from '../disk/gpt.ts';
import type { Positions } from '../erofs/positions.ts';
import type { Digest } from '../oci/digest.ts';
import type { System } from '../oci/system.ts';

/** A disk that was made from a definition: a raw file with holes, and what is known of it without reading it. */
export interface MadeDisk {
  readonly path: string;
  /** Bytes, holes included: whole GiB. */
  readonly size: number;
  readonly system: System;
  /** Where the store paths lie in the store's partition: published beside the disk, and given to the build of the next. */
  readonly positions: Positions;
  /** Of the positions that were kept; null where there were none, or none were to be kept. */
  readonly positionsBefore: Digest | null;
  /** In their order on the disk. The store's is the one with the name that the definition's partitions.store says. */
  readonly partitions: readonly Partition[];
  /** Where data may be, ascending and apart. Everything else is zeros, and holes in the file. */
  readonly extents: readonly Extent[];
  /** Where it is cut into chunks: ascending and apart, with all extents in them. */
  readonly pieces: readonly Extent[];
}
