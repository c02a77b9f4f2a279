import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';

/**
 * A place that images are read from: a repository of a registry, an OCI layout or an archive. All behave alike, so code
 * above never asks which it holds. Methods throw UserError (`registry`, `credentials`, `file`, `digest`).
 */
export interface ImageSource {
  /** As a person writes it, with its transport and without tag: `docker://ghcr.io/org/app`, `oci:out`. */
  readonly name: string;
  /** The manifest under a tag or digest; undefined when there is none. Checks the digest. */
  getManifest(reference: string): Promise<StoredManifest | undefined>;
  /** Whether a blob is there, without reading it. */
  hasBlob(descriptor: Descriptor): Promise<boolean>;
  /** Reads a blob and checks size and digest on the way: the last step throws UserError `digest` if they differ. */
  readBlob(descriptor: Descriptor): AsyncIterable<Uint8Array>;
  /**
   * What is listed as naming the manifest of `digest` as its subject, such as signatures. With `artifactType` a place may leave out
   * those of other types; `readReferrers` does so and looks at what is listed.
   */
  getReferrers(digest: Digest, artifactType?: string): Promise<ReferrerList>;
  /** Names of the images in it, where it can tell them all. */
  names?(): Promise<readonly string[]>;
  /** Lets go of files; nothing can be read afterwards. */
  close(): Promise<void>;
}

/** What a place lists as referring to a manifest. */
export interface ReferrerList {
  readonly entries: readonly Descriptor[];
  /** Whether the place makes the list by itself, so that nobody has to write it. */
  readonly isOwn: boolean;
}

/** A layout or an archive: if it holds one image only, that image needs no name. */
export interface FileSource extends ImageSource {
  /** Digest of the only image. Throws UserError `reference` when there are none or several. */
  soleImage(): Promise<string>;
}

/** An image to read: the place that holds it, and its tag or digest there. */
export interface OpenedImage {
  readonly source: ImageSource;
  readonly reference: string;
  /** Whether whoever opened the place closes it, because others read it too. */
  readonly isShared?: boolean;
}
