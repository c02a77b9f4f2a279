import { UserError } from '../core/error.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { ImageSource } from './source.ts';

/**
 * The upload of a blob ended before it was complete, and its bytes are gone: it takes the whole blob again. As it is, it
 * says what happened.
 */
export class BrokenUpload extends UserError {
  /** A writer for the same blob, when it is time for another try. Rejects with what happened when enough has been tried. */
  readonly again: () => Promise<BlobWriter>;

  constructor({ code, message, hint, cause }: UserError, again: () => Promise<BlobWriter>) {
    super(code, message, { ...(hint === undefined ? {} : { hint }), cause });
    this.again = again;
  }
}

/** A manifest was refused because blobs, or child manifests, that it names are not at the destination. */
export class MissingBlobError extends UserError {}

/**
 * A blob whose digest is known only at its end. Exactly one of `commit` and `abort` ends it, or a BrokenUpload that one of
 * its methods throws (`sendBlob` knows what to do then).
 */
export interface BlobWriter {
  /** Takes the next bytes; resolves when more may come (back-pressure). The chunk may be reused afterwards. */
  write(chunk: Uint8Array): Promise<void>;
  /** Stores the blob under its digest. Throws UserError `digest` when the bytes do not match. */
  commit(descriptor: Descriptor): Promise<void>;
  /** Forgets what was written. Never throws. */
  abort(): Promise<void>;
}

/**
 * A place that images are written to: a repository of a registry, an OCI layout or an archive. All behave alike, so code
 * above never asks which it holds. Methods throw UserError (`registry`, `credentials`, `file`, `digest`).
 */
export interface ImageDestination {
  /** As a person writes it, with its transport and without tag: `docker://ghcr.io/org/app`, `oci:out`. */
  readonly name: string;
  /** Whether others may write to it at the same time, on machines that share no lock with this one. */
  readonly isShared: boolean;
  /** Bytes of the largest blob that the place takes, where that is known. */
  readonly largestBlob?: number | undefined;
  /** Bytes of blobs that were really sent or written so far (not those found there or mounted). */
  readonly bytesSent: number;
  /** Those of one blob since they were asked for last, so that none is counted for two images. */
  takeSent(digest: Digest): number;
  /** Whether it may be written to, as far as what was read before has shown; undefined where that is not known. */
  mayWrite?(): Promise<boolean | undefined>;
  /** Whether a blob is there; `fresh` asks the place again although it said so, or took the blob, before. */
  hasBlob(descriptor: Descriptor, options?: { readonly fresh: boolean }): Promise<boolean>;
  /** Stores a small blob that is at hand, unless it is there already. */
  putBlob(descriptor: Descriptor, bytes: Uint8Array): Promise<void>;
  openBlob(): Promise<BlobWriter>;
  /** Has the place copy a blob from `source` by itself, without reading it here; false when it cannot do that. */
  mountBlob(descriptor: Descriptor, source: ImageSource): Promise<boolean>;
  /**
   * Stores a manifest under its digest only: nothing that a person pulls by tag changes. Throws MissingBlobError where the
   * place looks at what the manifest names.
   */
  putManifest(manifest: StoredManifest): Promise<void>;
  /** Whether the place said, when it took the manifest of `digest`, that it lists it for its subject (`OCI-Subject`). */
  listsByItself(digest: Digest): boolean;
  /** Points a tag at a stored manifest. `annotations` are kept where the place has room for them (layouts). */
  tag(tag: string, manifest: StoredManifest, annotations?: Readonly<Record<string, string>>): Promise<void>;
  /** Makes everything durable. Archives appear at their place only now. */
  commit(): Promise<void>;
  /** Gives up: removes temporary files. What was under a tag before is still there. Never throws. */
  abandon(): Promise<void>;
}

/**
 * A place that is written to and can be read meanwhile: what a publish looks up, copies from one destination to the next
 * and reads back. `close` gives up what was not committed.
 */
export interface Repository extends ImageSource, ImageDestination {
  hasBlob(descriptor: Descriptor, options?: { readonly fresh: boolean }): Promise<boolean>;
}
