import { type Body, bodyOf } from '../../../core/body.ts';
import { createPages } from '../../../core/chunk-buffer.ts';
import { UserError } from '../../../core/error.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { checkBytes } from '../../../oci/digest-check.ts';
import type { BlobWriter } from '../../destination.ts';
import { type RegistryClient, scopeOf } from '../client.ts';
import { statusOf } from '../failure.ts';
import { lookUpBlob } from './blob-lookup.ts';
import { RegistryBlobWriter, type Tries, type UploadTarget } from './blob-writer.ts';
import { requestMount, UploadSession } from './upload-session.ts';
import { UploadWays } from './upload-way.ts';

/** The blobs of one repository in a registry: which are there, and how they get there. */
export class RegistryBlobs implements UploadTarget {
  readonly pages = createPages();
  readonly ways = new UploadWays();
  readonly #client: RegistryClient;
  /** Blobs that are certainly there: sent, mounted or found in this session. */
  readonly #known = new Set<string>();
  readonly #writers = new Set<BlobWriter>();
  #bytesSent = 0;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  async has(descriptor: Descriptor, { fresh } = { fresh: false }): Promise<boolean> {
    if (this.#known.has(descriptor.digest) && !fresh) return true;
    const isThere = await lookUpBlob(this.#client, descriptor);
    if (isThere) this.#known.add(descriptor.digest);
    else this.#known.delete(descriptor.digest);
    return isThere;
  }

  async putBytes(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    checkBytes(bytes, descriptor, 'the blob to send');
    await this.put(descriptor, bodyOf(bytes));
  }

  async put(descriptor: Descriptor, body: Body): Promise<void> {
    if (await this.has(descriptor)) return;
    try {
      await (await UploadSession.open(this.#client)).finish(descriptor.digest, body);
    } catch (error) {
      await this.#secondTry(descriptor, body, error);
    }
    this.sent(body.length);
    this.stored(descriptor);
  }

  /** Has the registry copy a blob from its repository `from`; false when it would not. */
  async mount(descriptor: Descriptor, from: string): Promise<boolean> {
    if (!this.#client.ways.mounts) return false;
    const scopes = [...this.#client.scopes, scopeOf(from, 'pull')];
    const answer = await requestMount(this.#client, descriptor.digest, from, scopes);
    if (answer === 'mounted') this.stored(descriptor);
    else if (answer !== undefined) await UploadSession.resume(this.#client, answer).cancel();
    return answer === 'mounted';
  }

  open(tries?: Tries): BlobWriter {
    const writer = new RegistryBlobWriter(this.#client, this, tries);
    this.#writers.add(writer);
    return writer;
  }

  /** Ends every writer that is still open. Never throws. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#writers].map((writer) => writer.abort()));
  }

  sent(bytes: number): void {
    this.#bytesSent += bytes;
  }

  stored(descriptor: Descriptor): void {
    this.#known.add(descriptor.digest);
  }

  ended(writer: BlobWriter): void {
    this.#writers.delete(writer);
  }

  /** After a failed upload: the blob may be there all the same, or the registry forgot the upload between POST and PUT. */
  async #secondTry(descriptor: Descriptor, body: Body, error: unknown): Promise<void> {
    if (error instanceof UserError && ['cancelled', 'credentials', 'digest'].includes(error.code)) throw error;
    if (await this.has(descriptor).catch(() => false)) return;
    if (![404, 416].includes(statusOf(error) ?? 0)) throw error;
    this.#client.log.debug(`the upload of ${descriptor.digest} was lost; starting over`);
    await (await UploadSession.open(this.#client)).finish(descriptor.digest, body);
  }
}
