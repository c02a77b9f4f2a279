import { type Body, bodyOf } from '../../../core/body.ts';
import { createPages } from '../../../core/chunk-buffer.ts';
import { UserError } from '../../../core/error.ts';
import { type Outcome, repeat } from '../../../core/retry.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import type { Digest } from '../../../oci/digest.ts';
import { checkBytes } from '../../../oci/digest-check.ts';
import type { BlobWriter } from '../../destination.ts';
import { SentBytes } from '../../sent-bytes.ts';
import { type RegistryClient, scopeOf } from '../client.ts';
import { statusOf } from '../failure.ts';
import { drain } from '../fetch/response-body.ts';
import type { Reply } from '../send.ts';
import { BlobLookup } from './blob-lookup.ts';
import { RegistryBlobWriter, type Tries, type UploadTarget } from './blob-writer.ts';
import { type LostUpload, lossByAnswer, lossOfLine } from './lost-upload.ts';
import { requestMount, UploadSession } from './upload-session.ts';
import { UploadWays } from './upload-way.ts';

/** What a PUT with a whole blob is answered where the upload is gone, or where bytes belong into a PATCH (Artifactory: 404). */
const PUT_REFUSED = [400, 404, 405, 411, 415, 416, 501];

/**
 * Bytes from which on a blob that is at hand is mounted, where this process knows it in another repository of the registry: a registry that
 * mounts nothing is asked for little then.
 */
const WORTH_A_MOUNT = 64 * 1024;

/** Of all repositories: what one has given back, another takes, so that images that are built together need no more memory than one. */
const PAGES = createPages();

/** The blobs of one repository in a registry: which are there, and how they get there. */
export class RegistryBlobs implements UploadTarget {
  readonly pages = PAGES;
  readonly ways = new UploadWays();
  readonly #client: RegistryClient;
  readonly #lookup: BlobLookup;
  /** Blobs that are certainly there: sent, mounted or found in this session. */
  readonly #known = new Set<string>();
  readonly #writers = new Set<BlobWriter>();
  /** Repositories that blobs could not be mounted from. */
  readonly #noMounts = new Set<string>();
  /** Whether a PUT with a blob in it was refused, and PATCH and PUT were not. */
  #needsPatch = false;
  readonly #sent = new SentBytes();

  constructor(client: RegistryClient) {
    this.#client = client;
    this.#lookup = new BlobLookup(client);
  }

  get bytesSent(): number {
    return this.#sent.total;
  }

  takeSent(digest: Digest): number {
    return this.#sent.take(digest);
  }

  async has(descriptor: Descriptor, { fresh } = { fresh: false }): Promise<boolean> {
    if (this.#known.has(descriptor.digest) && !fresh) return true;
    const isThere = await this.#lookup.has(descriptor);
    if (isThere) this.stored(descriptor);
    else this.#lost(descriptor);
    return isThere;
  }

  async putBytes(descriptor: Descriptor, bytes: Uint8Array): Promise<void> {
    checkBytes(bytes, descriptor, 'the blob to send');
    await this.put(descriptor, bodyOf(bytes));
  }

  async put(descriptor: Descriptor, body: Body): Promise<void> {
    if (await this.has(descriptor)) return;
    if (descriptor.size >= WORTH_A_MOUNT && (await this.mountKnown(descriptor))) return;
    try {
      await (this.#needsPatch ? this.#putInTwo(descriptor, body) : this.#putAtOnce(descriptor, body));
    } catch (error) {
      await this.#secondTry(descriptor, body, error);
    }
    this.sent(descriptor);
    this.stored(descriptor);
  }

  /** Has the registry copy a blob from its repository `from`; false when it would not. */
  async mount(descriptor: Descriptor, from: string): Promise<boolean> {
    const { ways } = this.#client;
    if (!ways.mounts || this.#noMounts.has(from) || (await ways.mayMount?.()) === false) return false;
    const scopes = [...this.#client.scopes, scopeOf(from, 'pull')];
    const answer = await requestMount(this.#client, descriptor.digest, from, scopes);
    if (answer === 'mounted') this.stored(descriptor);
    else if (answer === undefined) this.#noMounts.add(from);
    else await UploadSession.resume(this.#client, answer).cancel();
    return answer === 'mounted';
  }

  /** The same from the repository in which this process knows the blob; false where it knows none, or only this one. */
  async mountKnown(descriptor: Descriptor): Promise<boolean> {
    const { blobs, repository } = this.#client;
    const from = blobs.get(descriptor.digest);
    return from !== undefined && from !== repository && (await this.mount(descriptor, from));
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

  sent(descriptor: Descriptor): void {
    this.#sent.add(descriptor);
  }

  stored(descriptor: Descriptor): void {
    const { blobs, repository } = this.#client;
    this.#known.add(descriptor.digest);
    if (!blobs.has(descriptor.digest)) blobs.set(descriptor.digest, repository);
  }

  ended(writer: BlobWriter): void {
    this.#writers.delete(writer);
  }

  #lost({ digest }: Descriptor): void {
    const { blobs, repository } = this.#client;
    this.#known.delete(digest);
    if (blobs.get(digest) === repository) blobs.delete(digest);
  }

  async #putAtOnce({ digest }: Descriptor, body: Body): Promise<void> {
    await (await UploadSession.open(this.#client)).finish(digest, body);
  }

  async #putInTwo({ digest }: Descriptor, body: Body): Promise<void> {
    const { retry: policy, clock, log, signal } = this.#client;
    const attempt = async (): Promise<Outcome<void>> => {
      const session = await UploadSession.open(this.#client);
      const loss = await fill(this.#client, session, body);
      if (loss === undefined) return { done: await session.finish(digest) };
      if (loss.kind === 'refused') throw loss.failure;
      return { retry: loss.failure.message, retryAfter: loss.retryAfter, error: () => loss.failure };
    };
    await repeat(attempt, { policy, clock, log, signal });
  }

  /** After a failed upload: the blob may be there all the same, the upload was forgotten, or bytes are taken in a PATCH only. */
  async #secondTry(descriptor: Descriptor, body: Body, error: unknown): Promise<void> {
    if (error instanceof UserError && ['cancelled', 'credentials', 'digest'].includes(error.code)) throw error;
    if (await this.has(descriptor).catch(() => false)) return;
    if (!PUT_REFUSED.includes(statusOf(error) ?? 0)) throw error;
    this.#client.log.debug(`the upload of ${descriptor.digest} was lost or refused; starting over`);
    await this.#putInTwo(descriptor, body);
    this.#needsPatch = true;
  }
}

/** Sends all of a blob into an upload. Returns why that failed. */
async function fill(client: RegistryClient, session: UploadSession, body: Body): Promise<LostUpload | undefined> {
  let reply: Reply;
  try {
    reply = await session.fill(body);
  } catch (error) {
    return lossOfLine(client, session, error);
  }
  if (!reply.response.ok) return lossByAnswer(client, session, reply);
  await drain(reply.response);
  return undefined;
}
