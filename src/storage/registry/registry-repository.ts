import { type Body, bodyOf } from '../../core/body.ts';
import { createPages } from '../../core/chunk-buffer.ts';
import { UserError } from '../../core/error.ts';
import { type Clock, DEFAULT_RETRY, type RetryPolicy } from '../../core/retry.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import { checkBytes, digestMismatch } from '../../oci/digest-check.ts';
import { MANIFEST_ACCEPT, MANIFEST_LIMIT, readManifest, type StoredManifest } from '../../oci/read-manifest.ts';
import { checkTag, type Reference } from '../../oci/reference.ts';
import type { BlobWriter, Repository } from '../destination.ts';
import type { ImageSource } from '../source.ts';
import { downloadBlob } from './blob-download.ts';
import { RegistryBlobWriter, type Tries } from './blob-upload.ts';
import { statusOf } from './failure.ts';
import { createRegistryApi, type RegistryApi, scopeOf } from './registry-api.ts';
import { drain, IDLE_TIME } from './response-body.ts';
import { Transport, type TransportOptions } from './transport.ts';
import { requestMount, UploadSession } from './upload-session.ts';
import { UploadWays } from './upload-way.ts';

export interface RegistryOptions extends Omit<TransportOptions, 'retry' | 'timeout'> {
  readonly reference: Reference;
  /** Whether tokens are to allow writing. */
  readonly mode: 'read' | 'write';
  readonly retry?: RetryPolicy | undefined;
  readonly timeout?: number | undefined;
  readonly clock: Clock;
}

const apiOf = (options: RegistryOptions): RegistryApi => {
  const { reference, mode, retry = DEFAULT_RETRY, timeout = IDLE_TIME } = options;
  const transport = new Transport(reference.host, reference.repository, { ...options, retry, timeout });
  return createRegistryApi(transport, reference, mode === 'read' ? 'pull' : 'pull,push', {
    ...options,
    retry,
    timeout,
  });
};

/** A repository in a registry (distribution-spec 1.1). */
export class RegistryRepository implements Repository {
  readonly name: string;
  readonly host: string;
  readonly path: string;
  readonly #api: RegistryApi;
  /** Blobs that are certainly there: sent, mounted or found in this session. */
  readonly #known = new Set<string>();
  readonly #writers = new Set<RegistryBlobWriter>();
  readonly #pages = createPages();
  readonly #ways = new UploadWays();
  #bytesSent = 0;

  constructor(options: RegistryOptions) {
    this.host = options.reference.host;
    this.path = options.reference.repository;
    this.name = `docker://${this.host}/${this.path}`;
    this.#api = apiOf(options);
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  async hasBlob(descriptor: Descriptor, options = { fresh: false }): Promise<boolean> {
    if (this.#known.has(descriptor.digest) && !options.fresh) return true;
    const url = `${this.#api.base}/blobs/${descriptor.digest}`;
    const { response } = await this.#api.send({ method: 'HEAD', url, expect: [200, 404] });
    await drain(response, this.#api.signal);
    const size = response.headers.get('content-length');
    const isThere = response.status === 200 && (size === null || Number(size) === descriptor.size);
    if (isThere) this.#known.add(descriptor.digest);
    else this.#known.delete(descriptor.digest);
    return isThere;
  }

  readBlob(descriptor: Descriptor): AsyncIterable<Uint8Array> {
    return downloadBlob(this.#api, descriptor);
  }

  async putBlob(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    checkBytes(bytes, descriptor, 'The blob to send');
    await this.#putBody(descriptor, bodyOf(bytes));
  }

  async #putBody(descriptor: Descriptor, body: Body): Promise<void> {
    if (await this.hasBlob(descriptor)) return;
    try {
      await (await UploadSession.open(this.#api)).finish(descriptor.digest, body);
    } catch (error) {
      await this.#secondTry(descriptor, body, error);
    }
    this.#bytesSent += body.length;
    this.#known.add(descriptor.digest);
  }

  async mountBlob(descriptor: Descriptor, source: ImageSource): Promise<boolean> {
    if (!(source instanceof RegistryRepository) || source.host !== this.host) return false;
    if (source.path === this.path) return this.hasBlob(descriptor);
    const scopes = [...this.#api.scopes, scopeOf(source.path, 'pull')];
    const answer = await requestMount(this.#api, descriptor.digest, source.path, scopes);
    if (answer === 'mounted') this.#known.add(descriptor.digest);
    else if (answer !== undefined) await UploadSession.resume(this.#api, answer).cancel();
    return answer === 'mounted';
  }

  async openBlob(): Promise<BlobWriter> {
    return this.#openWriter();
  }

  async getManifest(reference: string): Promise<StoredManifest | undefined> {
    const url = `${this.#api.base}/manifests/${reference}`;
    const { response, body } = await this.#api.send({
      method: 'GET',
      url,
      headers: { accept: MANIFEST_ACCEPT },
      expect: [200, 404],
      // One byte more than allowed tells a manifest that is too large from one that just fits.
      bodyLimit: MANIFEST_LIMIT + 1,
    });
    if (body === undefined) {
      await drain(response, this.#api.signal);
      return undefined;
    }
    return readManifest(body, {
      where: `${this.name} ${reference}`,
      contentType: response.headers.get('content-type'),
      reference,
      claimed: response.headers.get('docker-content-digest'),
    });
  }

  putManifest(manifest: StoredManifest): Promise<void> {
    return this.#putManifest(manifest.digest, manifest);
  }

  tag(tag: string, manifest: StoredManifest): Promise<void> {
    checkTag(tag);
    return this.#putManifest(tag, manifest);
  }

  async commit(): Promise<void> {
    this.#writers.clear();
  }

  async abandon(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
    this.#writers.clear();
  }

  close(): Promise<void> {
    return this.abandon();
  }

  #openWriter(tries?: Tries): BlobWriter {
    const hooks = {
      has: (descriptor: Descriptor) => this.hasBlob(descriptor),
      put: (descriptor: Descriptor, body: Body) => this.#putBody(descriptor, body),
      sent: (bytes: number) => {
        this.#bytesSent += bytes;
      },
      stored: (descriptor: Descriptor) => {
        this.#known.add(descriptor.digest);
      },
      ended: () => {
        this.#writers.delete(writer);
      },
      reopen: (before: Tries) => this.#openWriter(before),
    };
    const writer = new RegistryBlobWriter(this.#api, { pages: this.#pages, ways: this.#ways, hooks }, tries);
    this.#writers.add(writer);
    return writer;
  }

  async #putManifest(reference: string, { bytes, mediaType, digest }: StoredManifest): Promise<void> {
    const url = `${this.#api.base}/manifests/${reference}`;
    const { response } = await this.#api.send({
      method: 'PUT',
      url,
      headers: { 'content-type': mediaType },
      body: bodyOf(bytes),
      expect: [200, 201, 202],
    });
    await drain(response, this.#api.signal);
    const stored = response.headers.get('docker-content-digest');
    if (stored !== null && stored !== digest)
      throw digestMismatch(url, { mediaType, digest, size: bytes.length }, stored);
  }

  /** After a failed upload: the blob may be there all the same, or the registry forgot the upload between POST and PUT. */
  async #secondTry(descriptor: Descriptor, body: Body, error: unknown): Promise<void> {
    if (error instanceof UserError && ['cancelled', 'credentials', 'digest'].includes(error.code)) throw error;
    if (await this.hasBlob(descriptor).catch(() => false)) return;
    if (![404, 416].includes(statusOf(error) ?? 0)) throw error;
    this.#api.log.debug(`the upload of ${descriptor.digest} was lost; starting over`);
    await (await UploadSession.open(this.#api)).finish(descriptor.digest, body);
  }
}

/** Opens a repository in a registry; nothing is sent before the first use. */
export const openRegistryRepository = (options: RegistryOptions): RegistryRepository => new RegistryRepository(options);
