import type { z } from 'zod';
import { collect } from '../core/stream.ts';
import { configPlatformSchema, type ImageConfig, imageConfigSchema } from '../oci/config.ts';
import { decodeDocument } from '../oci/decode-document.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type DiskConfig, diskConfigSchema } from '../oci/disk-artifact.ts';
import type { ImageSource } from './source.ts';

/** Bytes; far more than any config holds (the largest seen are under 1 MiB), so that a lying size cannot fill the memory. */
const CONFIG_LIMIT = 8 * 1024 * 1024;

/** Bytes of the positions of a million paths, and more than any disk has. */
const POSITIONS_LIMIT = 256 * 1024 * 1024;

/** The file of positions of a disk. Throws as `configBytes` does. */
export const positionsBytes = (source: Pick<ImageSource, 'readBlob'>, positions: Descriptor): Promise<Buffer> =>
  collect(source.readBlob(positions), POSITIONS_LIMIT);

/** The bytes of an image's config. Throws UserError `registry` for more than any config has, and as the source does. */
export const configBytes = (source: Pick<ImageSource, 'readBlob'>, config: Descriptor): Promise<Buffer> =>
  collect(source.readBlob(config), CONFIG_LIMIT);

/** The config of an image, whoever made it. Throws UserError `registry` when it is none, and as the source does. */
export async function readConfig(source: ImageSource, config: Descriptor, where: string): Promise<ImageConfig> {
  return decodeDocument(await configBytes(source, config), imageConfigSchema, `${where}, its config`);
}

/** What the config of an image or of a disk says of its platform and time; throws as `readConfig` does. */
export async function readPlatform(
  source: Pick<ImageSource, 'readBlob'>,
  config: Descriptor,
  where: string,
): Promise<z.infer<typeof configPlatformSchema>> {
  return decodeDocument(await configBytes(source, config), configPlatformSchema, `${where}, its config`);
}

/** The config of a disk. Throws UserError `registry` when it is none, and as the source does. */
export async function readDiskConfig(source: ImageSource, config: Descriptor, where: string): Promise<DiskConfig> {
  return decodeDocument(await configBytes(source, config), diskConfigSchema, `${where}, its config`);
}
