import { stat } from 'node:fs/promises';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { MANIFEST_LIMIT } from '../oci/read-manifest.ts';
import type { ArchiveIndex } from '../tar/index.ts';
import { openArchive } from './archive/archive-source.ts';
import { readDockerArchive } from './archive/docker-archive-reader.ts';
import { readOciArchive } from './archive/oci-archive.ts';
import { openLayoutRepository } from './layout/layout.ts';
import { parseLayoutIndex } from './layout/layout-index.ts';
import type { ImageSource } from './open.ts';

/** How an archive says what is in it. */
export type ArchiveKind = 'oci-archive' | 'docker-archive';

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
export async function openImageFile(path: string, temporaryFolder: string, signal?: AbortSignal): Promise<ImageSource> {
  const { isFolder } = await withFileErrors(path, 'read', async () => ({ isFolder: (await stat(path)).isDirectory() }));
  if (isFolder) {
    const repository = openLayoutRepository(path, 'read');
    return { repository, reference: await repository.soleImage() };
  }
  const archive = await openArchive(path, temporaryFolder, signal);
  try {
    const isLayout = (await archiveKind(archive)) === 'oci-archive';
    const repository = await (isLayout ? readOciArchive(archive) : readDockerArchive(archive));
    return { repository, reference: await repository.soleImage() };
  } catch (error) {
    await archive.close();
    throw error;
  }
}
