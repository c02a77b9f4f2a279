import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import { annotatedKey } from '../definition/image-key.ts';
import { withoutOwn } from '../definition/layer-record.ts';
import { readDisk } from '../disk-image/read-disk.ts';
import { containerDiskKey, writeContainerDisk } from '../disk-places/container-disk.ts';
import { fileStem } from '../disk-places/files-place.ts';
import { blobFile, type ChunkedDisk, type MadeFile, zstdDisk } from '../disk-places/zstd-disk.ts';
import type { Digest } from '../oci/digest.ts';
import { originIn } from '../oci/origin.ts';
import { parseImageManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import { parseDestinationLine } from '../publish/destination-line.ts';
import { alreadyPublishedImage, handedOverImage } from '../publish/platform-image.ts';
import type { MadeInput, PlatformInput } from '../publish/platform-input.ts';
import type { Location } from '../storage/location.ts';
import type { Places } from './places.ts';
import { atDigest } from './planned-places.ts';
import type { Publication } from './publish-image.ts';

/** A disk for one system, of which other forms are made. */
export interface DiskPart {
  readonly name: string;
  readonly system: System;
  readonly stem: string;
  /** Its files, in a folder or a release. */
  readonly files: readonly MadeFile[];
  /** Files that an earlier disk of that name may have there, and this one does not have. */
  readonly obsolete: readonly string[];
  /** The same as an image for KubeVirt. */
  readonly containerDisk: MadeInput;
}

/** Reads what is handed over, or published, of a disk. Throws UserError as `readDisk` and the sources do. */
export async function diskPart(part: PlatformInput, places: Places, signal: AbortSignal): Promise<DiskPart> {
  const { name, system, tag, systems, origin } = part;
  const { manifest, parsed, source, tests } = await platformOf(part, places);
  if (source === undefined) throw new RangeError('a disk lies somewhere');
  const { config, layers } = await readDisk(source.rest, manifest);
  const disk: ChunkedDisk = {
    size: config.size,
    chunks: layers.chunks,
    readBlob: (descriptor) => source.layers.readBlob(descriptor),
  };
  const stem = fileStem(name, system);
  const key = annotatedKey(parsed) ?? manifest.digest;
  const positions = `${stem}.positions.json`;
  const run = originIn(parsed.annotations, config.created);
  return {
    ...{ name, system, stem },
    files: [
      zstdDisk(`${stem}.raw.zst`, disk),
      ...(layers.positions === undefined ? [] : [blobFile(positions, layers.positions, disk)]),
    ],
    // Disks of other tools have none.
    obsolete: layers.positions === undefined ? [positions] : [],
    containerDisk: {
      ...{ kind: 'made', name, tag, system, systems, origin, tests, key: containerDiskKey(key) },
      make: (destinations) => {
        const annotations = { ...run.annotations, ...withoutOwn(parsed.annotations) };
        const image = { name: stem, system, disk, key, annotations, origin: run };
        return writeContainerDisk(image, destinations, { signal });
      },
    },
  };
}

function platformOf(part: PlatformInput, places: Places): ReturnType<typeof handedOverImage> {
  if (part.kind === 'handover') return handedOverImage(part.handover, places.openForReading);
  if (part.kind === 'published') return alreadyPublishedImage(part);
  throw new RangeError(`${part.kind} is not stored anywhere yet`);
}

/** The parts of a disk as they are published at `location`, for forms that are made of it; `opened` closes their sources. */
export async function publishedParts(
  { image: { published } }: Publication,
  parts: readonly PlatformInput[],
  location: Location,
  { places, opened }: { readonly places: Places; readonly opened: AsyncDisposableStack },
): Promise<PlatformInput[]> {
  return Promise.all(
    parts.map(async ({ name, tag, system, systems }): Promise<PlatformInput> => {
      const manifest = published.platforms.find((one) => one.system === system)?.digest as Digest;
      const { source } = await places.openForReading(atDigest(location, manifest));
      opened.defer(() => source.close());
      const stored = await source.getManifest(manifest);
      const origin = `${source.name}@${manifest}`;
      if (stored === undefined) {
        throw new UserError('registry', `${origin} is gone, which was published just now`, { hint: 'Run it again.' });
      }
      const key = annotatedKey(parseImageManifest(stored, origin)) ?? '';
      return { kind: 'published', name, tag, system, systems, origin, manifest, key, source };
    }),
  );
}

/** Where a disk is kept that is built and goes nowhere as it is. */
export const temporaryLine = (folder: string, name: string) =>
  parseDestinationLine(`oci:${join(folder, `disk-${name.replaceAll('/', '-')}`)}`);
