import { diskDamage, notReadable } from './disk-damage.ts';
import type { DiskFile } from './disk-file.ts';
import { checkDiskSize } from './disk-limit.ts';

/** How a file begins, by qemu's docs/interop/qcow2.txt. All numbers are big-endian. */
export const QCOW2_MAGIC = 0x5146_49fb;

/** Bytes of a header of version 2, and of version 3 without what later ones added. */
const V2_BYTES = 72;
export const QCOW2_V3_BYTES = 104;

/** Feature bits that a reader must know; what is not here is refused by its number. */
const INCOMPATIBLE = { dirty: 0, corrupt: 1, externalData: 2, compressionType: 3, extendedL2: 4 } as const;

/** Clusters of 512 bytes to 2 MiB, as qemu has them. */
const CLUSTER_BITS = { least: 9, most: 21 } as const;

/** Bytes of the first table at most, as in qemu: enough for 2 EiB of clusters of 2 MiB. */
const MOST_L1_BYTES = 32 * 1024 * 1024;

export interface Qcow2Header {
  /** Of the disk, in bytes. */
  readonly size: number;
  readonly clusterBits: number;
  readonly l1Offset: number;
  readonly l1Entries: number;
  readonly packing: 'deflate' | 'zstd';
  /** Version 3 marks clusters as zero. */
  readonly hasZeroFlag: boolean;
}

/** Reads the header; undefined for a file of another format. Throws UserError `file` for damage and for features that are not read. */
export async function readQcow2Header(file: DiskFile): Promise<Qcow2Header | undefined> {
  const { path } = file;
  const structure = 'the qcow2 header';
  if (file.size < 4 || (await file.bytes(0, 4, structure)).readUInt32BE(0) !== QCOW2_MAGIC) return undefined;
  const v2 = await file.bytes(0, V2_BYTES, structure);
  const wrong = (offset: number, what: string) => diskDamage({ path, structure, offset, what });
  const version = v2.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw notReadable(path, `it is version ${version} of qcow`);
  const v3 = version === 3 ? await file.bytes(0, QCOW2_V3_BYTES, structure) : undefined;
  const headerBytes = v3?.readUInt32BE(100) ?? V2_BYTES;
  if (v3 && headerBytes < QCOW2_V3_BYTES) throw wrong(100, `names ${headerBytes} bytes as its length`);
  const features = v3?.readBigUInt64BE(72) ?? 0n;
  checkFeatures(path, features);
  if (v2.readBigUInt64BE(8) !== 0n) throw notReadable(path, 'it is a qcow2 with a backing file', BACKING);
  const crypt = v2.readUInt32BE(32);
  if (crypt !== 0) throw notReadable(path, `it is an encrypted qcow2 (method ${crypt})`);
  const clusterBits = v2.readUInt32BE(20);
  if (clusterBits < CLUSTER_BITS.least || clusterBits > CLUSTER_BITS.most) {
    throw wrong(20, `names clusters of 2^${clusterBits} bytes, not 2^${CLUSTER_BITS.least} to 2^${CLUSTER_BITS.most}`);
  }
  const size = Number(v2.readBigUInt64BE(24));
  if (size === 0 || size % 512 !== 0) throw wrong(24, `names a disk of ${size} bytes, not whole sectors`);
  // Before the tables are looked at, which a small file may claim for any size.
  checkDiskSize(path, size);
  const l1Entries = Math.ceil(size / 2 ** (2 * clusterBits - 3));
  const stored = v2.readUInt32BE(36);
  if (stored < l1Entries)
    throw wrong(36, `names ${stored} entries of the first table, of ${l1Entries} for ${size} bytes`);
  if (l1Entries * 8 > MOST_L1_BYTES) throw wrong(24, `names a disk of ${size} bytes, too large for its clusters`);
  const l1Offset = Number(v2.readBigUInt64BE(40));
  if (l1Offset % 2 ** clusterBits !== 0) throw wrong(40, `places the first table at ${l1Offset}, within a cluster`);
  const packing = await readPacking(file, { features, headerBytes });
  return { size, clusterBits, l1Offset, l1Entries, packing, hasZeroFlag: version === 3 };
}

const BACKING = 'Make one file of both: qemu-img convert -O raw IN OUT.raw, beside the backing file.';

const hasBit = (features: bigint, bit: number): boolean => ((features >> BigInt(bit)) & 1n) === 1n;

function checkFeatures(path: string, features: bigint): void {
  if (hasBit(features, INCOMPATIBLE.corrupt)) {
    throw notReadable(path, 'qemu has marked it as corrupt', 'Repair it: qemu-img check -r all IN');
  }
  if (hasBit(features, INCOMPATIBLE.externalData)) {
    throw notReadable(path, 'it is a qcow2 with an external data file', BACKING);
  }
  if (hasBit(features, INCOMPATIBLE.extendedL2)) {
    throw notReadable(path, 'it is a qcow2 with extended L2 entries (subclusters)');
  }
  const unknown = features >> BigInt(INCOMPATIBLE.extendedL2 + 1);
  if (unknown === 0n) return;
  throw notReadable(path, `it is a qcow2 with unknown incompatible features (0x${features.toString(16)})`);
}

async function readPacking(
  file: DiskFile,
  { features, headerBytes }: { readonly features: bigint; readonly headerBytes: number },
): Promise<Qcow2Header['packing']> {
  const { path } = file;
  if (!hasBit(features, INCOMPATIBLE.compressionType)) return 'deflate';
  const structure = 'the qcow2 header';
  if (headerBytes <= QCOW2_V3_BYTES)
    throw diskDamage({ path, structure, offset: 100, what: 'is too short for its compression' });
  const type = (await file.bytes(QCOW2_V3_BYTES, 1, structure))[0];
  if (type === 0) return 'deflate';
  if (type === 1) return 'zstd';
  throw notReadable(path, `it is a qcow2 with the unknown compression ${type}`);
}
