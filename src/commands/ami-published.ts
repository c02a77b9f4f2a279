import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import { checkDisk } from '../disk/check-disk.ts';
import { openDisk } from '../disk/open-disk.ts';
import { pullDisk } from '../disk-image/pull-disk.ts';
import { readBlocks, readDisk } from '../disk-image/read-disk.ts';
import type { Host } from '../host/host.ts';
import { freeBytes } from '../machine/disk-space.ts';
import { type DiskConfig, isDisk } from '../oci/disk-artifact.ts';
import { isIndexType } from '../oci/media-type.ts';
import { isForSystem } from '../oci/platform.ts';
import { parseImageManifest, type StoredManifest } from '../oci/read-manifest.ts';
import { platformText, SYSTEMS, type System } from '../oci/system.ts';
import { handedOverImage } from '../publish/platform-image.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { imageForSystem } from '../storage/image-for-system.ts';
import { formatLocation, type Location, parseRegistryLocation } from '../storage/location.ts';
import { namedManifest } from '../storage/read-tag.ts';
import type { ImageSource } from '../storage/source.ts';
import type { AmiDisk } from './ami-disk.ts';
import { openDiskThreads } from './ami-file.ts';
import type { Places } from './places.ts';
import { atDigest } from './planned-places.ts';

/** What a stored disk is called, and where else it lies. */
type Named = Pick<AmiDisk, 'image' | 'tag' | 'source'>;

/** Reads a stored disk. Throws UserError `platforms` where it is for another system than it was found under, and as `readDisk` does. */
async function storedDisk(
  source: ImageSource,
  manifest: StoredManifest,
  { asked, ...named }: Named & { readonly asked: System | undefined },
  host: Host,
): Promise<AmiDisk> {
  const published = await readDisk(source, manifest);
  const origin = `${source.name}@${manifest.digest}`;
  const system = systemOf(published.config, asked, origin);
  const { bootMode } = published.config;
  let file: Promise<string> | undefined;
  const fetchFile = async (): Promise<string> => {
    const { exec, signal, log } = host;
    const path = join(await host.tempDir(), 'disk.raw');
    const openThreads = () => openDiskThreads(host);
    await log.group(`Fetching ${origin}`, () =>
      pullDisk(source, manifest, path, { ...host, openThreads, free: freeBytes }),
    );
    const disk = await openDisk(path, { exec, signal, extents: published.layers.chunks });
    try {
      await checkDisk(disk, { system, bootMode });
    } finally {
      await disk.close();
    }
    return path;
  };
  return {
    ...{ ...named, system, bootMode, origin },
    blocks: await readBlocks(source, published),
    file: () => (file ??= fetchFile()),
  };
}

function systemOf(config: DiskConfig, asked: System | undefined, origin: string): System {
  const system = SYSTEMS.find((one) => isForSystem(config, one));
  if (system !== undefined && (asked === undefined || asked === system)) return system;
  const listed = asked === undefined ? SYSTEMS.join(' or ') : asked;
  throw new UserError('platforms', `${origin} is a disk for ${platformText(config)}, not for ${listed}`, {
    hint: 'Publish the disk again, under the system that it boots.',
  });
}

/** The disks of a place: one, or those of an index. Throws UserError `platforms` where there is none for a system that is asked for. */
export async function publishedDisks(
  location: Location,
  systems: readonly System[],
  places: Places,
  host: Host,
): Promise<{ readonly disks: readonly AmiDisk[]; readonly source: ImageSource }> {
  const { source, reference } = await places.openForReading(location);
  const stored = await namedManifest(source, reference);
  const found = await manifestsFor(source, stored, systems);
  const isOfDisk = ({ manifest }: FoundManifest): boolean =>
    isDisk(parseImageManifest(manifest, `${source.name}@${manifest.digest}`));
  // A list of what was published has images, too.
  if (!found.some(isOfDisk)) host.log.info(`${source.name} ${reference} is left out: it is an image, and no disk`);
  const disks = found.filter(isOfDisk).map(({ manifest, system }) => {
    const at = location.kind === 'registry' ? formatLocation(atDigest(location, manifest.digest)) : undefined;
    return storedDisk(source, manifest, { ...nameOf(location), source: at, asked: system }, host);
  });
  return { disks: await Promise.all(disks), source };
}

interface FoundManifest {
  readonly manifest: StoredManifest;
  readonly system: System | undefined;
}

async function manifestsFor(
  source: ImageSource,
  stored: StoredManifest,
  systems: readonly System[],
): Promise<readonly FoundManifest[]> {
  if (!isIndexType(stored.mediaType))
    return [{ manifest: stored, system: systems.length === 1 ? systems[0] : undefined }];
  const looked = await Promise.all(
    SYSTEMS.filter((system) => systems.length === 0 || systems.includes(system)).map(async (system) => ({
      system,
      ...(await imageForSystem(source, stored, system)),
    })),
  );
  const found = looked.flatMap(({ system, manifest }) => (manifest === undefined ? [] : [{ system, manifest }]));
  const missing = systems.filter((system) => !found.some((one) => one.system === system));
  if (found.length > 0 && missing.length === 0) return found;
  const has = [...new Set(looked.flatMap(({ platforms }) => platforms))].join(', ') || 'no platform';
  const wanted = (missing.length > 0 ? missing : SYSTEMS).join(' or ');
  throw new UserError('platforms', `${source.name}@${stored.digest} has no disk for ${wanted}, only for ${has}`, {
    hint: 'Publish the disk for that system, or name other systems.',
  });
}

/** The last part of a repository or folder, and the tag. */
function nameOf(location: Location): Pick<AmiDisk, 'image' | 'tag'> {
  if (location.kind === 'registry') {
    const { repository, tag } = location.reference;
    return { image: repository.split('/').at(-1) ?? repository, tag };
  }
  return { image: location.path.split('/').at(-1) ?? location.path, tag: 'tag' in location ? location.tag : undefined };
}

/** A disk that a build job handed over. Throws UserError as `handedOverImage` and `readDisk` do. */
export async function handedOverDisk(
  { handover }: Extract<PlatformInput, { readonly kind: 'handover' }>,
  places: Places,
  host: Host,
): Promise<AmiDisk> {
  const { label } = handover;
  const { manifest, source } = await handedOverImage(handover, places.openForReading);
  if (source === undefined) throw new RangeError('a disk lies somewhere');
  const { layers, rest } = source;
  // Manifest and config are in the handover, the chunks where its label says.
  const both: ImageSource = {
    name: handover.origin,
    getManifest: (reference) => rest.getManifest(reference),
    hasBlob: (descriptor) => rest.hasBlob(descriptor),
    getReferrers: (digest, type) => rest.getReferrers(digest, type),
    readBlob: async function* (descriptor) {
      yield* ((await rest.hasBlob(descriptor)) ? rest : layers).readBlob(descriptor);
    },
    close: () => rest.close(),
  };
  const place = label.destination === null ? undefined : parseRegistryLocation(label.destination);
  const at = place && formatLocation(atDigest(place, manifest.digest));
  const named = { image: label.name, tag: label.tag ?? undefined, source: at, asked: label.system };
  return storedDisk(both, manifest, named, host);
}
