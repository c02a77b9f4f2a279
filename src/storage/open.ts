import { UserError } from '../core/error.ts';
import { MANIFEST_LIMIT } from '../oci/read-manifest.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { ArchiveIndex } from '../tar/index.ts';
import { openArchive } from './archive/archive-source.ts';
import { createDockerArchive } from './archive/docker-archive.ts';
import { readDockerArchive } from './archive/docker-archive-reader.ts';
import { createOciArchive, readOciArchive } from './archive/oci-archive.ts';
import type { Repository } from './destination.ts';
import { isFolder } from './is-folder.ts';
import { parseLayoutIndex } from './layout/layout-index.ts';
import { LayoutRepository } from './layout/layout-repository.ts';
import { LayoutSource } from './layout/layout-source.ts';
import { formatLocation, type Location } from './location.ts';
import { openClient, type RegistryWorld, scopeOf } from './registry/client.ts';
import { RegistryRepository } from './registry/registry-repository.ts';
import { type RegistryRemoval, registryRemoval } from './registry/removal.ts';
import type { FileSource, OpenedImage } from './source.ts';

/** What places of images need from the world. */
export interface StorageWorld extends RegistryWorld {
  /** Where a compressed archive is unpacked for reading. */
  readonly temporaryFolder: string;
}

/** @internal Opens a repository of a registry; nothing is sent before the first use. `mode` is what tokens are asked for. */
export const openRegistry = (reference: Reference, mode: 'read' | 'write', world: RegistryWorld): RegistryRepository =>
  new RegistryRepository(reference, openClient(reference, mode, world));

/** A repository that manifests are removed from, and the part of its registry's interface that does so. */
export interface RemovableRepository {
  readonly repository: RegistryRepository;
  readonly removal: RegistryRemoval;
}

/** Opens a repository to remove manifests from. Tokens for that are asked for when something is to be removed. */
export function openForRemoval(reference: Reference, world: RegistryWorld): RemovableRepository {
  const client = openClient(reference, 'write', world);
  const scopes = [scopeOf(reference.repository, 'pull,push,delete')];
  return { repository: new RegistryRepository(reference, client), removal: registryRemoval(client, scopes) };
}

/**
 * Opens a place to write to. Layouts are added to; archives are written from scratch and appear at `commit`.
 * `imageName` names the image in a docker-archive whose location does not.
 */
export function openRepository(location: Location, world: StorageWorld, imageName?: Reference): Repository {
  switch (location.kind) {
    case 'registry':
      return openRegistry(location.reference, 'write', world);
    case 'oci':
      return new LayoutRepository(location.path, { log: world.log, clock: world.clock, signal: world.signal });
    case 'oci-archive':
      return createOciArchive(location.path);
    case 'docker-archive':
      return createDockerArchive(location.path, location.reference ?? imageName);
  }
}

/** Layouts and archives that are open, by transport and path; whoever made it closes them. */
export type OpenFiles = Map<string, Promise<FileSource>>;

/**
 * Opens a place to read from and settles which image is meant: the digest or tag that was written, `latest` in a
 * registry, the only image of a layout or archive, each of which is opened once if `files` is given. Throws UserError `file` or
 * `reference`.
 */
export async function openSource(location: Location, world: StorageWorld, files?: OpenFiles): Promise<OpenedImage> {
  if (location.kind === 'registry') {
    const { reference } = location;
    return {
      source: openRegistry(reference, 'read', world),
      reference: reference.digest ?? reference.tag ?? 'latest',
    };
  }
  const key = `${location.kind}:${location.path}`;
  const opening = files?.get(key) ?? openFile(location, world);
  files?.set(key, opening);
  const source = await opening;
  const isShared = files !== undefined;
  try {
    return { ...(await imageIn(source, nameIn(location))), isShared };
  } catch (error) {
    if (!isShared) await source.close();
    throw error;
  }
}

async function openFile(location: Exclude<Location, { kind: 'registry' }>, world: StorageWorld): Promise<FileSource> {
  if (location.kind === 'oci') return new LayoutSource(location.path);
  const { path, kind } = location;
  world.log.debug(`reading ${formatLocation(location)}`);
  return inArchive(path, world.temporaryFolder, world.signal, (archive) => readArchive(archive, kind));
}

const nameIn = (location: Exclude<Location, { kind: 'registry' }>): string | undefined =>
  location.kind === 'docker-archive' ? location.reference && formatReference(location.reference) : location.tag;

const imageIn = async (source: FileSource, named: string | undefined): Promise<OpenedImage> => ({
  source,
  reference: named ?? (await source.soleImage()),
});

/** How an archive says what is in it. */
type ArchiveKind = 'oci-archive' | 'docker-archive';

/**
 * What to read an archive as. `docker save` writes both kinds into one file: the layout then, which has the manifests and
 * all platforms, unless it is empty. Throws UserError `file` where it is neither.
 */
export async function archiveKind(archive: ArchiveIndex): Promise<ArchiveKind> {
  const isDocker = archive.find('manifest.json') !== undefined;
  const isLayout = archive.find('oci-layout') !== undefined;
  if (isLayout && (!isDocker || (await holdsImages(archive)))) return 'oci-archive';
  if (isDocker) return 'docker-archive';
  throw new UserError('file', `${archive.path} holds no image: it has neither manifest.json nor oci-layout`, {
    hint: 'An image is an archive as docker save writes it, or an OCI layout.',
  });
}

async function holdsImages(archive: ArchiveIndex): Promise<boolean> {
  if (archive.find('index.json') === undefined) return false;
  const text = (await archive.readSmall('index.json', MANIFEST_LIMIT)).toString('utf8');
  const { manifests } = parseLayoutIndex(text, `${archive.path} (index.json)`);
  return manifests.length > 0;
}

/**
 * Opens the image in a file or folder, whatever kind it is: an archive of Docker's or OCI's kind, packed or not, or an OCI
 * layout. Throws UserError `file` for what is none, `reference` for several images among which the platform does not
 * choose. `temporaryFolder` is where a compressed archive is unpacked.
 */
export async function openImageFile(path: string, temporaryFolder: string, signal?: AbortSignal): Promise<OpenedImage> {
  if (await isFolder(path)) return imageIn(new LayoutSource(path), undefined);
  return inArchive(path, temporaryFolder, signal, async (archive) =>
    imageIn(await readArchive(archive, await archiveKind(archive)), undefined),
  );
}

const readArchive = (archive: ArchiveIndex, kind: ArchiveKind): Promise<FileSource> =>
  kind === 'oci-archive' ? readOciArchive(archive) : readDockerArchive(archive);

/** Opens an archive for `work`, whose result holds it; it is closed when `work` fails. */
async function inArchive<T>(
  path: string,
  temporaryFolder: string,
  signal: AbortSignal | undefined,
  work: (archive: ArchiveIndex) => Promise<T>,
): Promise<T> {
  const archive = await openArchive(path, temporaryFolder, signal);
  try {
    return await work(archive);
  } catch (error) {
    await archive.close();
    throw error;
  }
}
