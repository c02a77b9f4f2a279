import { UserError } from '../../core/error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { descriptorOf, MANIFEST_LIMIT, readManifest, type StoredManifest } from '../../oci/read-manifest.ts';
import type { ArchiveIndex } from '../../tar/index.ts';
import type { Repository } from '../destination.ts';
import { readFileBlob } from '../file-blob.ts';
import { blobName } from '../layout/layout-folder.ts';
import {
  checkLayoutMarker,
  emptyLayoutIndex,
  encodeLayoutIndex,
  findEntry,
  LAYOUT_MARKER,
  type LayoutIndex,
  namesIn,
  parseLayoutIndex,
  platformIndex,
  soleDigest,
  withName,
} from '../layout/layout-index.ts';
import { checkRefName } from '../layout/layout-repository.ts';
import { LayoutSubjects } from '../referrers.ts';
import type { FileSource, ReferrerList } from '../source.ts';
import { type ArchiveFormat, ArchiveRepository } from './archive-repository.ts';

const FORMAT: ArchiveFormat = {
  kind: 'oci-archive',
  keepsManifests: true,
  checkTag: checkRefName,
  closingFiles: ({ tags }) => {
    let index: LayoutIndex = emptyLayoutIndex();
    for (const [tag, { manifest, annotations }] of tags)
      index = withName(index, tag, descriptorOf(manifest), annotations);
    return [
      { name: 'oci-layout', bytes: Buffer.from(LAYOUT_MARKER) },
      { name: 'index.json', bytes: encodeLayoutIndex(index) },
    ];
  },
};

/** Writes an OCI layout as one tar file. */
export const createOciArchive = (path: string): Repository => new ArchiveRepository(path, FORMAT);

class OciArchiveSource implements FileSource {
  readonly name: string;
  readonly #archive: ArchiveIndex;
  readonly #index: LayoutIndex;
  readonly #subjects = new LayoutSubjects();

  constructor(archive: ArchiveIndex, index: LayoutIndex) {
    this.name = `oci-archive:${archive.path}`;
    this.#archive = archive;
    this.#index = index;
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#archive.find(blobName(descriptor.digest))?.size === descriptor.size;
  }

  async *readBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    const slice = this.#archive.find(blobName(descriptor.digest));
    if (slice === undefined) {
      throw new UserError('file', `${this.#archive.path} has no blob ${descriptor.digest}`, {
        hint: 'The archive is not complete; make it again.',
      });
    }
    yield* readFileBlob(this.#archive.handle, this.#archive.path, slice, descriptor);
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    const whole = platformIndex(this.#index);
    if (whole?.digest === reference) return whole;
    const entry = findEntry(this.#index, reference);
    const digest = entry?.digest ?? (isDigest(reference) ? reference : undefined);
    if (digest === undefined || this.#archive.find(blobName(digest)) === undefined) return undefined;
    const bytes = await this.#archive.readSmall(blobName(digest), MANIFEST_LIMIT);
    const where = `${this.#archive.path} (${blobName(digest)})`;
    return readManifest(bytes, { where, contentType: entry?.mediaType ?? null, reference: digest });
  }

  async getReferrers(digest: Digest): Promise<ReferrerList> {
    return { entries: await this.#subjects.referrers(this, this.#index.manifests, digest), isOwn: false };
  }

  async names(): Promise<readonly string[]> {
    return namesIn(this.#index);
  }

  async soleImage(): Promise<string> {
    return soleDigest(this.#index, this.name);
  }

  close(): Promise<void> {
    return this.#archive.close();
  }
}

/** Reads an OCI layout out of a tar file. Throws UserError `file` when the archive is none. */
export async function readOciArchive(archive: ArchiveIndex): Promise<FileSource> {
  const read = async (name: string) => (await archive.readSmall(name, MANIFEST_LIMIT)).toString('utf8');
  checkLayoutMarker(await read('oci-layout'), `${archive.path} (oci-layout)`);
  const index = parseLayoutIndex(await read('index.json'), `${archive.path} (index.json)`);
  return new OciArchiveSource(archive, index);
}
