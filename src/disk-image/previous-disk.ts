import { UserError } from '../core/error.ts';
import type { Log } from '../core/log.ts';
import { annotatedKey } from '../definition/image-key.ts';
import { decodePositions, type Positions } from '../erofs/positions.ts';
import type { PreviousSource } from '../image/previous-image.ts';
import { type DiskConfig, type DiskLayers, diskLayers, isDisk } from '../oci/disk-artifact.ts';
import { type Origin, originIn } from '../oci/origin.ts';
import { parseImageManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import { imageForSystem } from '../storage/image-for-system.ts';
import { positionsBytes, readDiskConfig } from '../storage/read-config.ts';
import type { ReadTag } from '../storage/read-tag.ts';
import type { ImageSource } from '../storage/source.ts';

/** A disk that was published before. */
export interface PreviousDisk {
  readonly repository: ImageSource;
  /** Whether what it says of its chunks is believed for every destination, not for `repository` alone. */
  readonly forAll: boolean;
  readonly key: string | undefined;
  readonly origin: Origin;
  readonly config: DiskConfig;
  readonly layers: DiskLayers;
}

/** What `previousDisks` needs. */
interface PreviousOptions {
  readonly read: ReadTag;
  readonly log: Log;
}

/**
 * The disks for one system that are under tags which are about to move, or that the workflow names. What is not there, is no disk, or cannot be
 * read is left out. Throws UserError `cancelled` only.
 */
export async function previousDisks(
  sources: readonly PreviousSource[],
  system: System,
  { read, log }: PreviousOptions,
): Promise<readonly PreviousDisk[]> {
  const found = await Promise.all(
    sources.map(async ({ source, reference, forAll }): Promise<PreviousDisk | undefined> => {
      try {
        const stored = await read(source, reference);
        const manifest = stored && (await imageForSystem(source, stored, system)).manifest;
        if (!manifest) return undefined;
        const where = `${source.name}@${manifest.digest}`;
        const content = parseImageManifest(manifest, where);
        if (!isDisk(content)) return undefined;
        const config = await readDiskConfig(source, content.config, where);
        const origin = originIn(content.annotations, config.created);
        return {
          repository: source,
          forAll,
          key: annotatedKey(content),
          origin,
          config,
          layers: diskLayers(content, where),
        };
      } catch (error) {
        if (error instanceof UserError && error.code === 'cancelled') throw error;
        const why = error instanceof Error ? error.message : String(error);
        log.info(`reusing nothing from ${source.name} ${reference}: ${why}`);
        return undefined;
      }
    }),
  );
  return found.filter((disk) => disk !== undefined);
}

/** Positions of the disk before, and where they come from. */
interface FoundPositions {
  readonly positions: Positions;
  readonly from: string;
}

/** The positions of the first disk that has any that can be read; the others would place all anew, which is only dearer. Throws UserError `cancelled`. */
export async function previousPositions(
  disks: readonly PreviousDisk[],
  { log }: { readonly log: Log },
): Promise<FoundPositions | undefined> {
  for (const { repository, layers } of disks) {
    if (layers.positions === undefined) continue;
    const from = `the positions at ${repository.name}`;
    try {
      return { positions: decodePositions(await positionsBytes(repository, layers.positions), from), from };
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      log.warn(`${error.message}; all store paths get new places`);
    }
  }
  return undefined;
}
