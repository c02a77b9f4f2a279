/** How a FAT32 file system is laid out; in bytes, but for the number of clusters. */
export interface FatLayout {
  readonly cluster: number;
  readonly clusters: number;
}

/** Bytes of a sector: those of the disk. */
export const FAT_SECTOR = 512;

/** Sectors before the tables: boot sector, its copy and what is free; what mkfs.vfat takes for FAT32. */
export const FAT_RESERVED = 32;

/** Tables. */
const FATS = 2;

/** Below this a driver takes the file system for FAT16 (Microsoft's "FAT32 File System Specification", 1.03, "FAT Type Determination"). */
const LEAST_CLUSTERS = 65_525;

/** Some more than that: mkfs.vfat may round the tables up. */
const MARGIN = 64;

/** Larger ones save little of the tables, and waste more behind each file. */
const LARGEST_CLUSTER = 4096;

/** Bytes of an entry of a directory, characters of a long name in one, and what `.` and `..` take. */
const ENTRY = 32;
const LONG_NAME_CHARACTERS = 13;
const DOT_ENTRIES = 2;

/**
 * Clusters for a file system of so many bytes: the largest with which it still is FAT32. The count is what is left when
 * the tables that describe it are taken off, never more than mkfs.vfat makes of it.
 */
export function fatLayout(bytes: number): FatLayout {
  let best = layoutWith(bytes, FAT_SECTOR);
  for (let cluster = 2 * FAT_SECTOR; cluster <= LARGEST_CLUSTER; cluster *= 2) {
    const layout = layoutWith(bytes, cluster);
    if (layout.clusters >= LEAST_CLUSTERS + MARGIN) best = layout;
  }
  return best;
}

function layoutWith(bytes: number, cluster: number): FatLayout {
  const sectors = bytes / FAT_SECTOR - FAT_RESERVED;
  const perCluster = cluster / FAT_SECTOR;
  // Each cluster has an entry of 4 bytes in each table; the first two entries stand for no cluster.
  const perTable = Math.ceil(((sectors / perCluster + 2) * 4) / FAT_SECTOR);
  return { cluster, clusters: Math.floor((sectors - FATS * perTable) / perCluster) - MARGIN };
}

/** A file of the file system to be: its path from the root, and its size in bytes. */
export interface FatFile {
  readonly path: string;
  readonly size: number;
}

/** Bytes that files and their folders take in a file system with such clusters. */
export function fatBytes(files: readonly FatFile[], { cluster }: FatLayout): number {
  const folders = new Map<string, Set<string>>([['', new Set()]]);
  for (const { path } of files) addName(folders, path);
  const whole = (bytes: number): number => Math.ceil(bytes / cluster) * cluster;
  let sum = 0;
  for (const { size } of files) sum += whole(size);
  for (const names of folders.values()) {
    const entries = [...names].reduce(
      (count, name) => count + 1 + Math.ceil(name.length / LONG_NAME_CHARACTERS),
      DOT_ENTRIES,
    );
    sum += whole(entries * ENTRY);
  }
  return sum;
}

function addName(folders: Map<string, Set<string>>, path: string): void {
  const at = path.lastIndexOf('/');
  const folder = path.slice(0, at);
  const names = folders.get(folder);
  if (names === undefined) {
    folders.set(folder, new Set([path.slice(at + 1)]));
    addName(folders, folder);
  } else names.add(path.slice(at + 1));
}
