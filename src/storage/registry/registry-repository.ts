import { bodyOf } from '../../core/body.ts';
import { backoff, sleep } from '../../core/retry.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestMismatch } from '../../oci/digest-check.ts';
import {
  MANIFEST_ACCEPT,
  MANIFEST_LIMIT,
  parseManifest,
  readManifest,
  type StoredManifest,
} from '../../oci/read-manifest.ts';
import { checkTag, type Reference } from '../../oci/reference.ts';
import { mergeDescriptors, referrerOf } from '../../oci/referrer.ts';
import { type BlobWriter, MissingBlobError, type Repository } from '../destination.ts';
import { taggedReferrers } from '../referrers.ts';
import type { ImageSource, ReferrerList } from '../source.ts';
import type { RegistryClient } from './client.ts';
import { downloadBlob } from './download.ts';
import { statusOf } from './failure.ts';
import { drain } from './fetch/response-body.ts';
import { requestReferrers } from './referrers.ts';
import { RegistryBlobs } from './upload/registry-blobs.ts';

/** Times that a registry is asked again for what it has taken: GHCR shows it some seconds later (with the usual policy, up to 7.5 s). */
const LAG = 4;

/** A repository in a registry (distribution-spec 1.1). */
export class RegistryRepository implements Repository {
  readonly name: string;
  readonly isShared = true;
  readonly host: string;
  readonly path: string;
  readonly #client: RegistryClient;
  readonly #blobs: RegistryBlobs;
  /** Manifests that the registry has put into its own lists of referrers. */
  readonly #listed = new Set<Digest>();
  /** Whether it has such lists, as far as we know. */
  #hasList = true;

  constructor({ host, repository }: Pick<Reference, 'host' | 'repository'>, client: RegistryClient) {
    this.host = host;
    this.path = repository;
    this.name = `docker://${host}/${repository}`;
    this.#client = client;
    this.#blobs = new RegistryBlobs(client);
  }

  get largestBlob(): number | undefined {
    return this.#client.ways.largestBlob;
  }

  get bytesSent(): number {
    return this.#blobs.bytesSent;
  }

  takeSent(digest: Digest): number {
    return this.#blobs.takeSent(digest);
  }

  mayWrite(): Promise<boolean | undefined> {
    return this.#client.isGranted();
  }

  hasBlob(descriptor: Descriptor, options?: { readonly fresh: boolean }): Promise<boolean> {
    return this.#blobs.has(descriptor, options);
  }

  readBlob(descriptor: Descriptor): AsyncIterable<Uint8Array> {
    return downloadBlob(this.#client, descriptor);
  }

  putBlob(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    return this.#blobs.putBytes(descriptor, bytes);
  }

  async mountBlob(descriptor: Descriptor, source: ImageSource): Promise<boolean> {
    if (!(source instanceof RegistryRepository) || source.host !== this.host) return this.#blobs.mountKnown(descriptor);
    return source.path === this.path ? this.hasBlob(descriptor) : this.#blobs.mount(descriptor, source.path);
  }

  async openBlob(): Promise<BlobWriter> {
    return this.#blobs.open();
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.#readManifest(reference);
      // What was taken and is not there yet is late, not missing.
      if (found !== undefined || !this.#client.written.has(reference) || attempt > LAG) return found;
      await this.#waitForWrites(attempt);
    }
  }

  /** The list under the tag counts beside the registry's own, which often lacks what was listed before there was one. */
  async getReferrers(digest: Digest, artifactType?: string): Promise<ReferrerList> {
    const own = await this.#ownReferrers(digest, artifactType);
    return { entries: mergeDescriptors(await taggedReferrers(this, digest), own ?? []), isOwn: own !== undefined };
  }

  /** The registry's own list alone; empty where it has none. */
  async ownReferrers(digest: Digest): Promise<readonly Descriptor[]> {
    return (await this.#ownReferrers(digest, undefined)) ?? [];
  }

  listsByItself(digest: Digest): boolean {
    return this.#listed.has(digest);
  }

  putManifest(manifest: StoredManifest): Promise<void> {
    return this.#putManifest(manifest.digest, manifest);
  }

  tag(tag: string, manifest: StoredManifest): Promise<void> {
    checkTag(tag);
    return this.#putManifest(tag, manifest);
  }

  /** A registry has everything as soon as it says so. */
  async commit(): Promise<void> {}

  abandon(): Promise<void> {
    return this.#blobs.abandon();
  }

  close(): Promise<void> {
    return this.abandon();
  }

  async #ownReferrers(digest: Digest, artifactType: string | undefined): Promise<Descriptor[] | undefined> {
    const own = this.#hasList ? await requestReferrers(this.#client, digest, artifactType) : undefined;
    this.#hasList = own !== undefined;
    return own;
  }

  async #readManifest(reference: string): Promise<StoredManifest | undefined> {
    const url = this.#client.url(`manifests/${reference}`);
    // One byte more than allowed tells a manifest that is too large from one that just fits.
    const bodyLimit = MANIFEST_LIMIT + 1;
    const headers = { accept: MANIFEST_ACCEPT };
    const { response, body } = await this.#client.send({ method: 'GET', url, headers, bodyLimit }, [200, 404]);
    if (body === undefined) {
      await drain(response);
      return undefined;
    }
    return readManifest(body, {
      where: `${this.name} ${reference}`,
      contentType: response.headers.get('content-type'),
      reference,
      claimed: response.headers.get('docker-content-digest'),
    });
  }

  async #putManifest(reference: string, manifest: StoredManifest): Promise<void> {
    this.#client.partialPulls?.sends(manifest, this.host);
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#sendManifest(reference, manifest).catch((error) =>
          this.#storeOtherwise(reference, manifest, error),
        );
        this.#client.written.add(reference).add(manifest.digest);
        return;
      } catch (error) {
        if (!(error instanceof MissingBlobError) || attempt > LAG || !(await this.#hasPartsOf(manifest))) throw error;
        await this.#waitForWrites(attempt);
      }
    }
  }

  /** ECR does not say at `/v2/` that a repository is full, or why it does not take what refers to an image. */
  async #storeOtherwise(reference: string, manifest: StoredManifest, error: unknown): Promise<void> {
    const isStored =
      [403, 405].includes(statusOf(error) ?? 0) && (await this.#client.ways.store?.(manifest, reference));
    if (!isStored) throw error;
  }

  async #sendManifest(reference: string, manifest: StoredManifest): Promise<void> {
    const { bytes, mediaType, digest } = manifest;
    const url = this.#client.url(`manifests/${reference}`);
    const headers = { 'content-type': mediaType };
    const { response } = await this.#client.send({ method: 'PUT', url, headers, body: bodyOf(bytes) }, [200, 201, 202]);
    await drain(response);
    const stored = response.headers.get('docker-content-digest');
    if (stored !== null && stored !== digest)
      throw digestMismatch(url.href, { mediaType, digest, size: bytes.length }, stored);
    const subject = response.headers.get('oci-subject');
    if (subject !== null && referrerOf(manifest)?.subject === subject) this.#listed.add(digest);
  }

  /** Whether the registry shows, or has taken, everything that a manifest names. */
  async #hasPartsOf(manifest: StoredManifest): Promise<boolean> {
    const content = parseManifest(manifest);
    if (content.kind === 'image') {
      const blobs = [content.config, ...content.layers];
      return (await Promise.all(blobs.map((blob) => this.hasBlob(blob, { fresh: true })))).every(Boolean);
    }
    const unsure = content.manifests.filter(({ digest }) => !this.#client.written.has(digest));
    const children = await Promise.all(unsure.map(({ digest }) => this.#readManifest(digest)));
    return children.every((child) => child !== undefined);
  }

  #waitForWrites(attempt: number): Promise<void> {
    const { clock, retry, log, signal } = this.#client;
    const delay = backoff(retry, attempt, clock.random());
    log.debug(`${this.name} does not show yet what it has taken; asking again in ${(delay / 1000).toFixed(1)} s`);
    return sleep(clock, delay, signal);
  }
}
