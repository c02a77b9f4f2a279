import { join } from 'node:path';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { MANIFEST_LIMIT } from '../oci/read-manifest.ts';
import type { ArchiveIndex } from '../tar/index.ts';
import { openArchive } from './archive/archive-source.ts';
import { readOciArchive } from './archive/oci-archive.ts';
import { isAttachedTag } from './attached-tags.ts';
import { isFolder } from './is-folder.ts';
import { LayoutFolder } from './layout/layout-folder.ts';
import { type LayoutIndex, parseLayoutIndex, platformIndex, REF_NAME } from './layout/layout-index.ts';
import { LayoutSource } from './layout/layout-source.ts';
import type { ImageSource } from './source.ts';

/** An OCI layout to read, with what its `index.json` lists. */
export interface LayoutEntries {
  readonly source: ImageSource;
  readonly entries: readonly Descriptor[];
  /** Digest of the whole as one image for several platforms; undefined where the platforms do not tell the entries apart. */
  readonly whole: Digest | undefined;
}

/**
 * Opens an OCI layout, a folder or one in a tar file, trusting nothing in it. Throws UserError `file` when it is
 * neither. `temporaryFolder` is where a compressed archive is unpacked.
 */
export async function openLayoutEntries(path: string, temporaryFolder: string): Promise<LayoutEntries> {
  if (await isFolder(path)) {
    const folder = new LayoutFolder(path);
    await folder.check();
    return entriesOf(new LayoutSource(path), await folder.readIndex());
  }
  const archive = await openArchive(path, temporaryFolder);
  try {
    return await layoutEntriesIn(archive);
  } catch (error) {
    await archive.close();
    throw error;
  }
}

/** The layout in an archive that is open. Throws UserError `file` when there is none. */
export async function layoutEntriesIn(archive: ArchiveIndex): Promise<LayoutEntries> {
  const source = await readOciArchive(archive);
  const text = (await archive.readSmall('index.json', MANIFEST_LIMIT)).toString('utf8');
  return entriesOf(source, parseLayoutIndex(text, join(archive.path, 'index.json')));
}

const entriesOf = (source: ImageSource, index: LayoutIndex): LayoutEntries => ({
  source,
  entries: index.manifests.filter((entry) => !isAttachedTag(entry.annotations?.[REF_NAME])),
  whole: platformIndex(index)?.digest,
});
