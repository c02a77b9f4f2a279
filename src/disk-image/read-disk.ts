import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { collect } from '../core/stream.ts';
import { type BlockList, blockCount, DIGEST_BYTES, diskIdentity } from '../disk/block-list.ts';
import { MOST_DISK_BYTES } from '../disk/disk-limit.ts';
import { type DiskConfig, type DiskLayers, diskLayers } from '../oci/disk-artifact.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { readDiskConfig } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';

/** A published disk: what its manifest and config say, which fit together. */
export interface PublishedDisk {
  readonly config: DiskConfig;
  readonly layers: DiskLayers;
}

/**
 * Reads manifest and config of a disk. Throws UserError `reference` for what is no disk, `registry` where they are not valid, and as the source does.
 */
export async function readDisk(source: ImageSource, stored: StoredManifest): Promise<PublishedDisk> {
  const where = `${source.name}@${stored.digest}`;
  const manifest = parseImageManifest(stored, where);
  const layers = diskLayers(manifest, where);
  const config = await readDiskConfig(source, manifest.config, where);
  const last = layers.chunks.at(-1);
  if (config.size > MOST_DISK_BYTES) {
    throw notValid(where, `it is a disk of ${sizeText(config.size)}, and the limit is ${sizeText(MOST_DISK_BYTES)}`);
  }
  if (last !== undefined && last.offset + last.length > config.size) {
    throw notValid(where, `its last chunk ends at byte ${last.offset + last.length} of ${config.size}`);
  }
  return { config, layers };
}

const notValid = (where: string, what: string): UserError =>
  new UserError('registry', `${where} is not a valid disk: ${what}`, { hint: 'Publish the disk again.' });

/** The digests of a disk's blocks, checked against its identity. Throws UserError `digest` where they are of another disk. */
export async function readBlocks(source: ImageSource, { config, layers }: PublishedDisk): Promise<BlockList> {
  const { size, identity } = config;
  const digests = await collect(source.readBlob(layers.blocks), blockCount(size) * DIGEST_BYTES);
  const list = { size, digests };
  const found = digests.length === blockCount(size) * DIGEST_BYTES ? diskIdentity(list) : `${digests.length} bytes`;
  if (found === identity) return list;
  throw new UserError(
    'digest',
    `${source.name}: the digests of the blocks are of ${found}, not of the disk ${identity}`,
    {
      hint: 'The disk is damaged or was changed. Do not use it; publish it again.',
    },
  );
}
