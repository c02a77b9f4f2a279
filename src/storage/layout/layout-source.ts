import { join } from 'node:path';
import { UserError } from '../../core/error.ts';
import { withFileErrors } from '../../core/file-error.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';
import { MANIFEST_LIMIT, readManifest, type StoredManifest } from '../../oci/read-manifest.ts';
import { readFileBlob } from '../file-blob.ts';
import { LayoutSubjects } from '../referrers.ts';
import type { FileSource, ReferrerList } from '../source.ts';
import { blobName, LayoutFolder } from './layout-folder.ts';
import { findEntry, namesIn, platformIndex, soleDigest } from './layout-index.ts';
import type { LockTools } from './layout-lock.ts';

/** An OCI image layout in a folder (image-spec, `image-layout.md`), to be read; nothing in it is trusted. */
export class LayoutSource implements FileSource {
  readonly name: string;
  protected readonly folder: LayoutFolder;
  readonly #subjects = new LayoutSubjects();
  #checked: Promise<void> | undefined;

  constructor(path: string, tools: LockTools = {}) {
    this.name = `oci:${path}`;
    this.folder = new LayoutFolder(path, tools);
  }

  async hasBlob({ digest, size }: Descriptor): Promise<boolean> {
    if (!(await this.isThere())) return false;
    await using handle = await this.folder.openBlob(digest);
    return handle !== undefined && (await handle.stat()).size === size;
  }

  async *readBlob(descriptor: Descriptor): AsyncGenerator<Uint8Array> {
    const path = join(this.folder.root, blobName(descriptor.digest));
    await using handle = (await this.isThere()) ? await this.folder.openBlob(descriptor.digest) : undefined;
    if (handle === undefined) {
      throw new UserError('file', `${path} is missing`, { hint: 'The layout is not complete; make it again.' });
    }
    yield* readFileBlob(handle, path, { offset: 0, size: (await handle.stat()).size }, descriptor);
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    if (!(await this.isThere())) return undefined;
    const index = await this.folder.readIndex();
    const whole = platformIndex(index);
    if (whole?.digest === reference) return whole;
    const entry = findEntry(index, reference);
    const digest = entry?.digest ?? (isDigest(reference) ? reference : undefined);
    if (digest === undefined) return undefined;
    await using handle = await this.folder.openBlob(digest);
    if (handle === undefined) return undefined;
    const path = join(this.folder.root, blobName(digest));
    if ((await handle.stat()).size > MANIFEST_LIMIT) {
      throw new UserError('file', `${path} is larger than a manifest may be (4 MiB)`, {
        hint: 'Make the layout again.',
      });
    }
    const bytes = await withFileErrors(path, 'read', () => handle.readFile());
    return readManifest(bytes, { where: path, contentType: entry?.mediaType ?? null, reference: digest });
  }

  async getReferrers(digest: Digest): Promise<ReferrerList> {
    if (!(await this.isThere())) return { entries: [], isOwn: false };
    const { manifests } = await this.folder.readIndex();
    return { entries: await this.#subjects.referrers(this, manifests, digest), isOwn: false };
  }

  async names(): Promise<readonly string[]> {
    return (await this.isThere()) ? namesIn(await this.folder.readIndex()) : [];
  }

  async soleImage(): Promise<string> {
    await this.isThere();
    return soleDigest(await this.folder.readIndex(), this.name);
  }

  async close(): Promise<void> {}

  /** Whether there is a layout to read. Throws UserError `file` where there must be one, and for what is none. */
  protected async isThere(): Promise<boolean> {
    this.#checked ??= this.folder.check();
    await this.#checked;
    return true;
  }
}
