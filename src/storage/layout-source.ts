import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { withFileErrors } from '../core/file-error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MANIFEST_LIMIT } from '../oci/read-manifest.ts';
import type { ArchiveIndex } from '../tar/index.ts';
import { openArchive } from './archive/archive-source.ts';
import { readOciArchive } from './archive/oci-archive.ts';
import { openLayoutRepository } from './layout/layout.ts';
import { LayoutFolder } from './layout/layout-folder.ts';
import { type LayoutIndex, parseLayoutIndex, platformIndex } from './layout/layout-index.ts';
import type { Repository } from './repository.ts';

/** An OCI layout to read, with what its `index.json` lists. */
export interface LayoutSource {
  readonly repository: Repository;
  readonly entries: readonly Descriptor[];
  /** Digest of the whole as one image for several platforms; undefined where the platforms do not tell the entries apart. */
  readonly whole: Digest | undefined;
}

/**
 * Opens an OCI layout, a folder or one in a tar file, trusting nothing in it. Throws UserError `file` when it is
 * neither. `temporaryFolder` is where a compressed archive is unpacked.
 */
export async function openLayoutSource(path: string, temporaryFolder: string): Promise<LayoutSource> {
  const { isDirectory } = await withFileErrors(path, 'read', async () => ({
    isDirectory: (await stat(path)).isDirectory(),
  }));
  if (isDirectory) {
    const folder = new LayoutFolder(path);
    await folder.check();
    return sourceOf(openLayoutRepository(path, 'read'), await folder.readIndex());
  }
  const archive = await openArchive(path, temporaryFolder);
  try {
    return await layoutInArchive(archive);
  } catch (error) {
    await archive.close();
    throw error;
  }
}

/** The layout in an archive that is open. Throws UserError `file` when there is none. */
export async function layoutInArchive(archive: ArchiveIndex): Promise<LayoutSource> {
  const repository = await readOciArchive(archive);
  const text = (await archive.readSmall('index.json', MANIFEST_LIMIT)).toString('utf8');
  return sourceOf(repository, parseLayoutIndex(text, join(archive.path, 'index.json')));
}

const sourceOf = (repository: Repository, index: LayoutIndex): LayoutSource => ({
  repository,
  entries: index.manifests,
  whole: platformIndex(index)?.digest,
});
