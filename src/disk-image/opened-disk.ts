import type { BlockList } from '../disk/block-list.ts';
import type { Disk } from '../disk/disk.ts';
import type { DiskToWrite } from './write-disk-image.ts';

/** A disk that is there, from a definition or of another tool, open for reading. */
export interface OpenedDisk
  extends Pick<DiskToWrite, 'bootMode' | 'partitions' | 'positions' | 'positionsBefore' | 'storeOffset'> {
  readonly disk: Disk;
  /** Where it is cut; by its blocks where nothing else is known. */
  readonly pieces: (blocks: BlockList) => DiskToWrite['pieces'];
}
