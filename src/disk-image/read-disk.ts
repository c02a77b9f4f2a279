import { UserError } from '../core/error.ts';
import { sizeText } from '../core/size.ts';
import { collect } from '../core/stream.ts';
import { type BlockList, blockCount, DIGEST_BYTES, diskIdentity } from '../disk/block-list.ts';
import { MOST_DISK_BYTES } from '../disk/disk.ts';
import { decodeDocument } from '../oci/decode-document.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type DiskConfig, type DiskLayers, diskConfigSchema, diskLayers } from '../oci/disk-artifact.ts';
import type { ImageManifest } from '../oci/manifest.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { configBytes } from '../storage/read-config.ts';
import type { ImageSource } from '../storage/source.ts';

/** Bytes of the positions of a million paths, and more than any disk has. */
const POSITIONS_LIMIT = 256 * 1024 * 1024;

/** A published disk: what its manifest and config say, which fit together. */
export interface PublishedDisk {
  readonly config: DiskConfig;
  readonly layers: DiskLayers;
}

/** Throws UserError `registry` for what is no config of a disk, and as the source does. */
export async function readDiskConfig(
  source: ImageSource,
  { config }: Pick<ImageManifest, 'config'>,
  where: string,
): Promise<DiskConfig> {
  return decodeDocument(await configBytes(source, config), diskConfigSchema, `${where}, its config`);
}

/**
 * Reads manifest and config of a disk. Throws UserError `reference` for what is no disk, `registry` where they are not valid, and as the source does.
 */
export async function readDisk(source: ImageSource, stored: StoredManifest): Promise<PublishedDisk> {
  const where = `${source.name}@${stored.digest}`;
  const manifest = parseImageManifest(stored, where);
  const layers = diskLayers(manifest, where);
  const config = await readDiskConfig(source, manifest, where);
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

export const readPositionsBlob = (source: Pick<ImageSource, 'readBlob'>, positions: Descriptor): Promise<Buffer> =>
  collect(source.readBlob(positions), POSITIONS_LIMIT);
