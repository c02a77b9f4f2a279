import { diskDamage } from './disk-damage.ts';
import type { TableDisk } from './gpt-read.ts';

/** Microsoft's "FAT: General Overview of On-Disk Format", 1.03. Numbers are little-endian. */
const ENTRY_BYTES = 32;
const DELETED = 0xe5;
const DIRECTORY = 0x10;
/** Volume labels; parts of long names, whose bits are four, have it as well. */
const LABEL = 0x08;

/** Entries of a folder that are looked at: as many as FAT lets one have. */
const MOST_ENTRIES = 65_536;

/** What an entry of a folder says. */
interface FatEntry {
  readonly isFolder: boolean;
  readonly cluster: number;
  readonly size: number;
}

interface Layout {
  readonly bits: 12 | 16 | 32;
  readonly clusterBytes: number;
  readonly clusters: number;
  /** Where the first FAT, the root of FAT12 and FAT16, and the first cluster begin, in bytes from the start of the disk. */
  readonly fatAt: number;
  readonly rootAt: number;
  readonly rootBytes: number;
  readonly rootCluster: number;
  readonly dataAt: number;
}

const isPowerOfTwo = (value: number): boolean => value > 0 && (value & (value - 1)) === 0;

/**
 * A FAT file system that is only read: what is needed to find a loader in an EFI system partition. Whatever is on it, work ends: folders are
 * read up to the most entries that one may have, and chains up to the number of clusters.
 */
export class Fat {
  readonly #disk: TableDisk;
  readonly #layout: Layout;

  /** Opens what lies from `offset` on. Throws UserError `file` for what is no FAT. */
  static async open(
    disk: TableDisk,
    { offset, length }: { readonly offset: number; readonly length: number },
  ): Promise<Fat> {
    const boot = Buffer.alloc(512);
    await disk.read(boot, offset);
    const wrong = (at: number, what: string) =>
      diskDamage({ path: disk.path, structure: 'the boot sector of the FAT', offset: offset + at, what });
    const sectorBytes = boot.readUInt16LE(11);
    const perCluster = boot[13] ?? 0;
    if (!isPowerOfTwo(sectorBytes) || sectorBytes < 512 || sectorBytes > 4096)
      throw wrong(11, `names sectors of ${sectorBytes} bytes`);
    if (!isPowerOfTwo(perCluster)) throw wrong(13, `names clusters of ${perCluster} sectors`);
    const reserved = boot.readUInt16LE(14);
    const copies = boot[16] ?? 0;
    const rootBytes = boot.readUInt16LE(17) * ENTRY_BYTES;
    const sectors = boot.readUInt16LE(19) || boot.readUInt32LE(32);
    const isFat32 = boot.readUInt16LE(22) === 0;
    const fatBytes = (boot.readUInt16LE(22) || boot.readUInt32LE(36)) * sectorBytes;
    const fatAt = reserved * sectorBytes;
    const rootAt = fatAt + copies * fatBytes;
    const dataAt = rootAt + Math.ceil(rootBytes / sectorBytes) * sectorBytes;
    const clusterBytes = sectorBytes * perCluster;
    const clusters = Math.floor((sectors * sectorBytes - dataAt) / clusterBytes);
    if (reserved === 0 || copies === 0 || fatBytes === 0 || clusters <= 0) throw wrong(11, 'does not describe a FAT');
    if (sectors * sectorBytes > length)
      throw wrong(32, `names ${sectors * sectorBytes} bytes, more than its partition of ${length}`);
    // As Linux and EDK2 tell them apart; mkfs makes FAT32 with few clusters too.
    const bits = isFat32 ? 32 : clusters < 4085 ? 12 : 16;
    if (fatBytes * 8 < (clusters + 2) * bits)
      throw wrong(22, `names a FAT of ${fatBytes} bytes for ${clusters} clusters`);
    return new Fat(disk, {
      bits,
      clusterBytes,
      clusters,
      fatAt: offset + fatAt,
      rootAt: offset + rootAt,
      rootBytes,
      rootCluster: isFat32 ? boot.readUInt32LE(44) : 0,
      dataAt: offset + dataAt,
    });
  }

  private constructor(disk: TableDisk, layout: Layout) {
    this.#disk = disk;
    this.#layout = layout;
  }

  /** What lies at a path of short names (8.3, in capitals); undefined where it is not there. */
  async find(names: readonly string[]): Promise<FatEntry | undefined> {
    let entry: FatEntry = { isFolder: true, cluster: 0, size: 0 };
    for (const name of names) {
      if (!entry.isFolder) return undefined;
      const found = await this.#lookUp(entry.cluster, name);
      if (found === undefined) return undefined;
      entry = found;
    }
    return entry;
  }

  /** The first `count` bytes of a file, or all of it where it is shorter. */
  async start({ cluster, size }: FatEntry, count: number): Promise<Buffer> {
    const wanted = Math.min(count, size);
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of this.#chain(cluster)) {
      parts.push(part);
      length += part.length;
      if (length >= wanted) break;
    }
    return Buffer.concat(parts).subarray(0, wanted);
  }

  async #lookUp(folder: number, name: string): Promise<FatEntry | undefined> {
    const [base = '', extension = ''] = name.split('.');
    const short = base.padEnd(8) + extension.padEnd(3);
    let left = MOST_ENTRIES;
    for await (const bytes of this.#folder(folder)) {
      for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
        const first = bytes[at];
        left -= 1;
        if (first === 0 || left < 0) return undefined;
        const attributes = bytes[at + 11] ?? 0;
        if (first === DELETED || (attributes & LABEL) !== 0) continue;
        if (bytes.toString('latin1', at, at + 11).toUpperCase() !== short) continue;
        const high = this.#layout.bits === 32 ? bytes.readUInt16LE(at + 20) : 0;
        const cluster = high * 65_536 + bytes.readUInt16LE(at + 26);
        return { isFolder: (attributes & DIRECTORY) !== 0, cluster, size: bytes.readUInt32LE(at + 28) };
      }
    }
    return undefined;
  }

  /** Cluster 0 is the root, which FAT12 and FAT16 keep before the first cluster. */
  async *#folder(cluster: number): AsyncGenerator<Buffer> {
    const { bits, rootAt, rootBytes, rootCluster } = this.#layout;
    if (cluster !== 0) yield* this.#chain(cluster);
    else if (bits === 32) yield* this.#chain(rootCluster);
    else yield this.#bytes(rootAt, rootBytes);
  }

  async *#chain(first: number): AsyncGenerator<Buffer> {
    const { clusters, clusterBytes, dataAt, bits } = this.#layout;
    let cluster = first;
    // A chain that goes in a circle ends here as well.
    for (let step = 0; step < clusters; step += 1) {
      // The last ones of each size are "end" and "bad".
      if (bits === 32 ? cluster >= 0x0fff_fff7 : cluster >= 2 ** bits - 9) return;
      if (cluster < 2 || cluster >= clusters + 2) {
        const what = `names cluster ${cluster} of ${clusters}`;
        throw diskDamage({ path: this.#disk.path, structure: 'the FAT', offset: this.#layout.fatAt, what });
      }
      yield await this.#bytes(dataAt + (cluster - 2) * clusterBytes, clusterBytes);
      cluster = await this.#next(cluster);
    }
  }

  async #next(cluster: number): Promise<number> {
    const { bits, fatAt } = this.#layout;
    if (bits === 32) return (await this.#bytes(fatAt + cluster * 4, 4)).readUInt32LE(0) & 0x0fff_ffff;
    if (bits === 16) return (await this.#bytes(fatAt + cluster * 2, 2)).readUInt16LE(0);
    const pair = (await this.#bytes(fatAt + Math.floor((cluster * 3) / 2), 2)).readUInt16LE(0);
    return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
  }

  async #bytes(position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    await this.#disk.read(bytes, position);
    return bytes;
  }
}
