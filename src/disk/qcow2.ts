import { inflateRawSync, zstdDecompressSync } from 'node:zlib';
import { checkUnpacked } from '../core/unpack-limit.ts';
import type { Disk } from './disk.ts';
import { diskDamage } from './disk-damage.ts';
import { type DiskFile, truncated } from './disk-file.ts';
import { type Extent, ExtentList } from './extent.ts';
import { zstdFrameLength } from './frame-length.ts';
import { SECTOR } from './gpt.ts';
import { type Qcow2Header, readQcow2Header } from './qcow2-header.ts';

/** Bits 9 to 55 of an entry: where a table or a cluster lies. */
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const COMPRESSED = 1n << 62n;
const ZERO = 1n;

/** Second tables that are kept: each tells of 512 MiB with clusters of 64 KiB, and reads go up through the disk. */
const KEPT_TABLES = 16;

/** Where a cluster's bytes are. */
type Place =
  | { readonly kind: 'zero' }
  | { readonly kind: 'plain'; readonly offset: number }
  | { readonly kind: 'packed'; readonly offset: number; readonly length: number };

/**
 * The disk in a qcow2 file of version 2 or 3; undefined for another format. Snapshots in it are left alone. Throws UserError
 * `file`, naming structure and offset, for damage, and for features that are not read: backing files, encryption, external data,
 * subclusters and what came later. `known` are its extents for who has walked its tables already.
 */
export async function openQcow2(file: DiskFile, known?: readonly Extent[]): Promise<Disk | undefined> {
  const header = await readQcow2Header(file);
  if (header === undefined) return undefined;
  const image = await Qcow2Image.open(file, header);
  const extents = known ?? (await image.extents());
  return {
    format: 'qcow2',
    path: file.path,
    size: header.size,
    extents,
    read: (into, position) => image.read(into, position),
    close: () => file.close(),
  };
}

class Qcow2Image {
  readonly #file: DiskFile;
  readonly #header: Qcow2Header;
  readonly #l1: Buffer;
  readonly #clusterBytes: number;
  readonly #tables = new Map<number, Buffer>();
  /** The last cluster that was unpacked: reads are smaller than clusters at times. */
  #unpacked: { readonly cluster: number; readonly bytes: Buffer } | undefined;

  static async open(file: DiskFile, header: Qcow2Header): Promise<Qcow2Image> {
    const { l1Offset, l1Entries } = header;
    if (l1Offset > file.size) throw truncated(file.path, 'the qcow2 L1 table', { offset: l1Offset, end: file.size });
    return new Qcow2Image(file, header, await file.bytes(l1Offset, l1Entries * 8, 'the qcow2 L1 table'));
  }

  private constructor(file: DiskFile, header: Qcow2Header, l1: Buffer) {
    this.#file = file;
    this.#header = header;
    this.#l1 = l1;
    this.#clusterBytes = 2 ** header.clusterBits;
  }

  async extents() {
    const { size, l1Entries } = this.#header;
    const extents = new ExtentList(size);
    const perTable = this.#clusterBytes / 8;
    let bytes = 0;
    for (let table = 0; table < l1Entries; table += 1) {
      if (this.#tableOffset(table) === 0) continue;
      for (let at = 0; at < perTable; at += 1) {
        const cluster = table * perTable + at;
        const offset = cluster * this.#clusterBytes;
        if (offset >= size) break;
        if ((await this.#place(cluster)).kind === 'zero') continue;
        extents.add(offset, this.#clusterBytes);
        bytes += this.#clusterBytes;
      }
      // Clusters that share their bytes would make any size of a small file.
      checkUnpacked(this.#file.path, this.#file.size, bytes);
    }
    return extents.all();
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    const { size } = this.#header;
    if (position + into.length > size) throw truncated(this.#file.path, 'the disk', { offset: position, end: size });
    for (let at = 0; at < into.length; ) {
      const cluster = Math.floor((position + at) / this.#clusterBytes);
      const within = (position + at) % this.#clusterBytes;
      const part = into.subarray(at, at + this.#clusterBytes - within);
      await this.#readPart(part, cluster, within);
      at += part.length;
    }
  }

  async #readPart(part: Uint8Array, cluster: number, within: number): Promise<void> {
    const place = await this.#place(cluster);
    if (place.kind === 'zero') part.fill(0);
    else if (place.kind === 'plain') {
      await this.#file.read(part, place.offset + within, `cluster ${cluster} of the qcow2`);
    } else {
      if (this.#unpacked?.cluster !== cluster) {
        this.#unpacked = { cluster, bytes: await this.#unpack(cluster, place) };
      }
      part.set(this.#unpacked.bytes.subarray(within, within + part.length));
    }
  }

  #tableOffset(table: number): number {
    const entry = this.#l1.readBigUInt64BE(table * 8);
    const offset = Number(entry & OFFSET_MASK);
    const { path, size } = this.#file;
    const at = this.#header.l1Offset + table * 8;
    if (offset % this.#clusterBytes !== 0 || offset + this.#clusterBytes > size) {
      const what = `names byte ${offset}, where no table of ${this.#clusterBytes} bytes can be in a file of ${size}`;
      throw diskDamage({ path, structure: `entry ${table} of the qcow2 L1 table`, offset: at, what });
    }
    return offset;
  }

  async #table(table: number): Promise<Buffer | undefined> {
    const kept = this.#tables.get(table);
    if (kept) return kept;
    const offset = this.#tableOffset(table);
    if (offset === 0) return undefined;
    const bytes = await this.#file.bytes(offset, this.#clusterBytes, `L2 table ${table} of the qcow2`);
    const [oldest] = this.#tables.keys();
    if (this.#tables.size >= KEPT_TABLES && oldest !== undefined) this.#tables.delete(oldest);
    this.#tables.set(table, bytes);
    return bytes;
  }

  async #place(cluster: number): Promise<Place> {
    const perTable = this.#clusterBytes / 8;
    const [table, at] = [Math.floor(cluster / perTable), cluster % perTable];
    const bytes = await this.#table(table);
    if (bytes === undefined) return { kind: 'zero' };
    const entry = bytes.readBigUInt64BE(at * 8);
    if (entry === 0n) return { kind: 'zero' };
    if ((entry & COMPRESSED) !== 0n) return this.#packedPlace(cluster, entry);
    if (this.#header.hasZeroFlag && (entry & ZERO) !== 0n) return { kind: 'zero' };
    const offset = Number(entry & OFFSET_MASK);
    if (offset === 0) return { kind: 'zero' };
    const needed = Math.min(this.#clusterBytes, this.#header.size - cluster * this.#clusterBytes);
    if (offset % this.#clusterBytes !== 0 || offset + needed > this.#file.size) throw this.#outside(cluster, offset);
    return { kind: 'plain', offset };
  }

  #packedPlace(cluster: number, entry: bigint): Place {
    // Bits below this one are the offset, those above it how many further sectors the packed bytes touch.
    const split = BigInt(62 - (this.#header.clusterBits - 8));
    const offset = Number(entry & ((1n << split) - 1n));
    const sectors = Number((entry & (COMPRESSED - 1n)) >> split) + 1;
    if (offset >= this.#file.size) throw this.#outside(cluster, offset);
    const end = offset - (offset % SECTOR) + sectors * SECTOR;
    return { kind: 'packed', offset, length: Math.min(end, this.#file.size) - offset };
  }

  #outside(cluster: number, offset: number) {
    const { path, size } = this.#file;
    const perTable = this.#clusterBytes / 8;
    const table = this.#tableOffset(Math.floor(cluster / perTable));
    return diskDamage({
      path,
      structure: `the qcow2 L2 entry of cluster ${cluster}`,
      offset: table + (cluster % perTable) * 8,
      what: `names byte ${offset}, where no cluster of ${this.#clusterBytes} bytes can be in a file of ${size}`,
    });
  }

  async #unpack(cluster: number, { offset, length }: { readonly offset: number; readonly length: number }) {
    const structure = `packed cluster ${cluster} of the qcow2`;
    const packed = await this.#file.bytes(offset, length, structure);
    const options = { maxOutputLength: this.#clusterBytes };
    const { path } = this.#file;
    let bytes: Buffer;
    try {
      // The last sector has other clusters' bytes behind these, which inflating passes over.
      bytes =
        this.#header.packing === 'deflate'
          ? inflateRawSync(packed, options)
          : zstdDecompressSync(packed.subarray(0, zstdFrameLength(packed)), options);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw diskDamage({ path, structure, offset, what: `cannot be unpacked (${this.#header.packing}: ${reason})` });
    }
    if (bytes.length === this.#clusterBytes) return bytes;
    throw diskDamage({ path, structure, offset, what: `unpacks to ${bytes.length} bytes, not ${this.#clusterBytes}` });
  }
}
