import { createHash } from 'node:crypto';
import type { DiskDefinition } from '../definition/disk-definition.ts';

/** What has a UUID of its own on a disk. */
type Part = 'disk' | 'esp' | 'store' | 'store-verity' | 'verity' | 'root' | 'store-fs' | 'root-fs' | 'root-hash-seed';

/** Namespace of the hash: another program's UUIDs of the same words are others. */
const NAMESPACE = 'nix-images disk';

function hashOf(
  { name, system }: Pick<DiskDefinition, 'name' | 'system'>,
  part: Part | 'esp-volume' | 'verity-salt',
): Buffer {
  return createHash('sha256').update([NAMESPACE, name, system, part].join('\0')).digest();
}

/** 16 bytes as the text of a UUID. */
export const uuidText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.subarray(0, 16))
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/**
 * The UUID of a part of a disk: the first 16 bytes of SHA-256 over namespace, name, system and part, joined by zero bytes, marked as
 * version 8 (RFC 9562, section 5.8 and appendix B.2). It follows from the names alone: every revision of a disk has the same,
 * as `by-partuuid` wants it, and two disks of one machine have different ones.
 */
export function diskUuid(disk: Pick<DiskDefinition, 'name' | 'system'>, part: Part): string {
  const bytes = hashOf(disk, part).subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidText(bytes);
}

/** The serial number of the EFI system partition's file system: 8 hexadecimal digits, which is all that FAT has. */
export const espVolumeId = (disk: Pick<DiskDefinition, 'name' | 'system'>): string =>
  hashOf(disk, 'esp-volume').toString('hex').slice(0, 8);

/** The salt of dm-verity: 64 hexadecimal digits. It is no secret; the same content on two disks has two root hashes. */
export const veritySalt = (disk: Pick<DiskDefinition, 'name' | 'system'>): string =>
  hashOf(disk, 'verity-salt').toString('hex');
