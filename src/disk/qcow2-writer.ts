import { type Extent, extentEnd } from './extent.ts';
import { QCOW2_MAGIC, QCOW2_V3_BYTES } from './qcow2-header.ts';

/** qemu's own size of clusters: 64 KiB. */
const CLUSTER = 65_536;

/** Entries of 8 bytes in a table of one cluster, and reference counts of 2 bytes in a block of them. */
const ENTRIES = CLUSTER / 8;
const COUNTS = CLUSTER / 2;

/** "QCOW_OFLAG_COPIED": the cluster has exactly one reference. */
const COPIED = 1n << 63n;

/** A disk as a qcow2 file of version 3 (qemu's docs/interop/qcow2.txt): what is no data takes no room in it. */
export interface Qcow2File {
  /** Bytes of the file. */
  readonly size: number;
  /**
   * The file from start to end. `content` gives the bytes of the disk's extents, in their order and with nothing between; a buffer that is yielded is used again.
   */
  write(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array>;
}

/** Plans the file of a disk of `size` bytes with data in `extents`, which are ascending and apart. Equal input, equal bytes. */
export function qcow2File(size: number, extents: readonly Extent[]): Qcow2File {
  const clusters = clustersOf(extents);
  const plan = planOf(size, clusters);
  return {
    size: plan.clusters * CLUSTER,
    async *write(content) {
      yield* metadata(size, clusters, plan);
      yield* data(extents, content);
    },
  };
}

/** Numbers of the clusters of the disk in which there may be data, in order. */
function clustersOf(extents: readonly Extent[]): number[] {
  const clusters: number[] = [];
  for (const extent of extents) {
    const last = Math.ceil(extentEnd(extent) / CLUSTER);
    for (let at = Math.floor(extent.offset / CLUSTER); at < last; at += 1)
      if (clusters.at(-1) !== at) clusters.push(at);
  }
  return clusters;
}

/** What the file is made of, one behind the other, in clusters. */
interface Plan {
  readonly clusters: number;
  readonly refcountTable: number;
  readonly refcountBlocks: number;
  readonly l1: number;
  readonly l1Entries: number;
  /** The entries of the first table that have a second one. */
  readonly l2: readonly number[];
}

function planOf(size: number, data: readonly number[]): Plan {
  const l1Entries = Math.max(1, Math.ceil(size / (CLUSTER * ENTRIES)));
  const l1 = Math.ceil(l1Entries / ENTRIES);
  const l2 = [...new Set(data.map((cluster) => Math.floor(cluster / ENTRIES)))];
  const rest = 1 + l1 + l2.length + data.length;
  // The counts count themselves.
  let [refcountTable, refcountBlocks] = [1, 1];
  for (;;) {
    const clusters = rest + refcountTable + refcountBlocks;
    const blocks = Math.ceil(clusters / COUNTS);
    const table = Math.ceil(blocks / ENTRIES);
    if (blocks === refcountBlocks && table === refcountTable)
      return { clusters, refcountTable, refcountBlocks, l1, l1Entries, l2 };
    [refcountTable, refcountBlocks] = [table, blocks];
  }
}

function* metadata(size: number, clusters: readonly number[], plan: Plan): Generator<Uint8Array> {
  const { refcountTable, refcountBlocks, l1, l1Entries, l2 } = plan;
  const l1At = 1 + refcountTable + refcountBlocks;
  const header = Buffer.alloc(CLUSTER);
  header.writeUInt32BE(QCOW2_MAGIC, 0);
  header.writeUInt32BE(3, 4);
  header.writeUInt32BE(Math.log2(CLUSTER), 20);
  header.writeBigUInt64BE(BigInt(size), 24);
  header.writeUInt32BE(l1Entries, 36);
  header.writeBigUInt64BE(BigInt(l1At * CLUSTER), 40);
  header.writeBigUInt64BE(BigInt(CLUSTER), 48);
  header.writeUInt32BE(refcountTable, 56);
  // Counts of 2^4 bits.
  header.writeUInt32BE(4, 96);
  header.writeUInt32BE(QCOW2_V3_BYTES, 100);
  yield header;
  yield* table(refcountTable, (put) => {
    for (let at = 0; at < refcountBlocks; at += 1) put(at, BigInt((1 + refcountTable + at) * CLUSTER));
  });
  for (let block = 0; block < refcountBlocks; block += 1) {
    const counts = Buffer.alloc(CLUSTER);
    const used = Math.min(COUNTS, plan.clusters - block * COUNTS);
    for (let at = 0; at < used; at += 1) counts.writeUInt16BE(1, at * 2);
    yield counts;
  }
  const l2At = l1At + l1;
  yield* table(l1, (put) => {
    for (const [at, entry] of l2.entries()) put(entry, BigInt((l2At + at) * CLUSTER) | COPIED);
  });
  const dataAt = l2At + l2.length;
  let at = 0;
  for (const entry of l2) {
    yield* table(1, (put) => {
      for (; at < clusters.length && Math.floor((clusters[at] ?? 0) / ENTRIES) === entry; at += 1) {
        put((clusters[at] ?? 0) % ENTRIES, BigInt((dataAt + at) * CLUSTER) | COPIED);
      }
    });
  }
}

/** A table of so many clusters. */
function* table(clusters: number, fill: (put: (entry: number, value: bigint) => void) => void): Generator<Uint8Array> {
  const bytes = Buffer.alloc(clusters * CLUSTER);
  fill((entry, value) => bytes.writeBigUInt64BE(value, entry * 8));
  yield bytes;
}

/** The clusters with data, filled up with zeros. */
async function* data(extents: readonly Extent[], content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const block = Buffer.alloc(CLUSTER);
  let cluster: number | undefined;
  const places = extents[Symbol.iterator]();
  let place = places.next();
  let [position, end] = placeOf(place.value);
  for await (const bytes of content) {
    for (let at = 0; at < bytes.length; ) {
      if (position === end) {
        place = places.next();
        [position, end] = placeOf(place.value);
        if (place.done) throw new RangeError('more bytes than the extents have');
        continue;
      }
      const here = Math.floor(position / CLUSTER);
      if (here !== cluster) {
        if (cluster !== undefined) yield block;
        block.fill(0);
        cluster = here;
      }
      const count = Math.min(bytes.length - at, end - position, CLUSTER - (position % CLUSTER));
      block.set(bytes.subarray(at, at + count), position % CLUSTER);
      at += count;
      position += count;
    }
  }
  if (position !== end || !places.next().done) throw new RangeError('fewer bytes than the extents have');
  if (cluster !== undefined) yield block;
}

const placeOf = (extent: Extent | undefined): [number, number] =>
  extent ? [extent.offset, extentEnd(extent)] : [0, 0];
