import type { BlockList } from '../disk/block-list.ts';
import type { BootMode } from '../oci/disk-artifact.ts';
import type { System } from '../oci/system.ts';

/** A disk to deploy, of which nothing but lists was read yet. */
export interface AmiDisk {
  /** What it is called where nothing else is said. */
  readonly image: string;
  readonly system: System;
  /** What it says of itself or is seen on it. */
  readonly bootMode: BootMode;
  /** The tag that it was named by. */
  readonly tag: string | undefined;
  readonly blocks: BlockList;
  /** The published disk, as `docker://REPOSITORY@DIGEST`; undefined where it lies nowhere else. */
  readonly source: string | undefined;
  /** Where it comes from, for messages. */
  readonly origin: string;
  /** Makes it a file, once; gives its path. Throws UserError `file` where it could not boot its system. */
  file(): Promise<string>;
}

/** Disks, and what is held open for them. */
export interface AmiDisks {
  readonly disks: readonly AmiDisk[];
  /** Never throws. */
  close(): Promise<void>;
}
