import type { BlockPool } from '../../../core/block-pool.ts';
import type { Body } from '../../../core/body.ts';
import { ChunkBuffer } from '../../../core/chunk-buffer.ts';
import { UserError } from '../../../core/error.ts';
import { backoff, sleep } from '../../../core/retry.ts';
import type { Descriptor } from '../../../oci/descriptor.ts';
import { digestMismatch } from '../../../oci/digest-check.ts';
import { tooLargeBlob } from '../../blob-limit.ts';
import { type BlobWriter, BrokenUpload } from '../../destination.ts';
import type { RegistryClient } from '../client.ts';
import { statusOf } from '../failure.ts';
import { isShownOtherwise } from './blob-lookup.ts';
import { ChunkedUpload } from './chunked-upload.ts';
import { forgottenUpload, LostUpload } from './lost-upload.ts';
import { StreamedUpload } from './streamed-upload.ts';
import { UploadSession } from './upload-session.ts';
import type { UploadWays } from './upload-way.ts';

/**
 * Up to here a blob is held back, in bytes, so that its digest is known before the first byte is sent (and it need
 * not be sent at all if the registry has it). More would be memory for each layer under way.
 */
const HELD_BACK = 2 * 1024 * 1024;

/** Cuts of one blob's line after which chunks are tried, which lose less. */
const CUTS = 2;

/**
 * Streams of one blob at whose end the token was no good any more, though it was fresh when they began: proxies that pass a
 * request on when they have all of it let it be checked then. A chunk takes less time than a token lasts.
 */
const STALE = 2;

/** The repository that a blob goes to, as its writer sees it. */
export interface UploadTarget {
  readonly pages: BlockPool;
  readonly ways: UploadWays;
  has(descriptor: Descriptor): Promise<boolean>;
  /** Sends a small blob in one request. */
  put(descriptor: Descriptor, body: Body): Promise<void>;
  /** So many bytes have reached the registry. */
  sent(descriptor: Descriptor): void;
  /** The registry has the blob now. */
  stored(descriptor: Descriptor): void;
  /** Opens a writer for the same blob. */
  open(tries: Tries): BlobWriter;
  /** The writer is done with everything. */
  ended(writer: BlobWriter): void;
}

/** Tries of one blob at a registry that forgets its uploads: if the next ones are forgotten too, it is broken. */
const FORGOTTEN = 3;

/** The tries of sending one blob to one repository. */
export interface Tries {
  readonly failures: number;
  readonly cuts: number;
  readonly forgotten: number;
  /** Tokens that ended while a stream was on its way. */
  readonly stale: number;
  /** Milliseconds waited in between. */
  readonly waited: number;
}

const NO_TRIES: Tries = { failures: 0, cuts: 0, forgotten: 0, stale: 0, waited: 0 };

/** Writes a blob to a registry: at once when it is small, while it comes when it is large. */
export class RegistryBlobWriter implements BlobWriter {
  readonly #client: RegistryClient;
  readonly #target: UploadTarget;
  readonly #tries: Tries;
  readonly #held: ChunkBuffer;
  #session: UploadSession | undefined;
  #upload: StreamedUpload | ChunkedUpload | undefined;
  #size = 0;

  constructor(client: RegistryClient, target: UploadTarget, tries: Tries = NO_TRIES) {
    this.#client = client;
    this.#target = target;
    this.#tries = tries;
    this.#held = new ChunkBuffer(HELD_BACK, target.pages);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#size += chunk.length;
    await this.#checkSize();
    const taken = this.#upload === undefined ? this.#held.append(chunk) : 0;
    if (taken === chunk.length) return;
    await this.#orBroken(async () => {
      this.#upload ??= await this.#open();
      await this.#upload.write(chunk.subarray(taken));
    });
  }

  /** What a layer comes to is not known before it is made: the first byte too many ends it. */
  async #checkSize(): Promise<void> {
    const limit = this.#client.ways.largestBlob;
    if (limit === undefined || this.#size <= limit) return;
    await this.abort();
    throw tooLargeBlob('a layer that is being sent', this.#size, { name: this.#client.url('').host, limit });
  }

  async commit(descriptor: Descriptor): Promise<void> {
    if (this.#size !== descriptor.size) {
      await this.abort();
      throw digestMismatch('the blob to send', descriptor, `${this.#size} bytes`);
    }
    await this.#orBroken(() => (this.#upload === undefined ? this.#commitHeld(descriptor) : this.#finish(descriptor)));
    this.#session = undefined;
    this.#target.stored(descriptor);
    this.#target.ended(this);
  }

  async abort(): Promise<void> {
    await this.#upload?.abort();
    const session = this.#session;
    this.#session = undefined;
    this.#held.clear();
    await session?.cancel();
    this.#target.ended(this);
  }

  /** Ends the writer when `work` fails, and says how to begin again where that may help. */
  async #orBroken(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.abort();
      throw error instanceof LostUpload ? new BrokenUpload(error.failure, () => this.#again(error)) : error;
    }
  }

  async #open(): Promise<StreamedUpload | ChunkedUpload> {
    const session = await UploadSession.open(this.#client);
    this.#session = session;
    const { pages, ways } = this.#target;
    return ways.choose(session.minimumChunk) === 'chunks'
      ? new ChunkedUpload(this.#client, session, this.#held, pages)
      : new StreamedUpload(this.#client, session, this.#held, pages);
  }

  async #commitHeld(descriptor: Descriptor): Promise<void> {
    await this.#target.put(descriptor, this.#held.body());
    this.#held.clear();
  }

  async #finish(descriptor: Descriptor): Promise<void> {
    await this.#upload?.end();
    const session = this.#session;
    if (session === undefined) return;
    try {
      await session.finish(descriptor.digest);
    } catch (error) {
      // The reply to a PUT that worked may have been lost; a second one finds no upload any more.
      if (error instanceof UserError && ['cancelled', 'digest'].includes(error.code)) throw error;
      if (!(await this.#target.has(descriptor).catch(() => false))) {
        throw statusOf(error) === 404 ? forgottenUpload(session, 'the registry forgot it', error) : error;
      }
    }
    if (this.#upload?.way === 'chunks') await this.#checkChunks(session, descriptor);
    this.#target.sent(descriptor);
  }

  /** Some registries end an upload in chunks well and keep the last one of them (Artifactory). */
  async #checkChunks({ url }: UploadSession, descriptor: Descriptor): Promise<void> {
    if (!(await isShownOtherwise(this.#client, descriptor))) return;
    const what = `${url.host} accepted ${descriptor.digest} in chunks and has it in another size`;
    throw new LostUpload(
      'refused',
      new UserError('registry', what, { hint: 'The registry loses chunks of uploads. Update it, or ask who runs it.' }),
    );
  }

  /** A writer for the same blob, when it is time. Throws what a person sees when enough has been tried. */
  async #again({ kind, failure, retryAfter }: LostUpload): Promise<BlobWriter> {
    const { log, retry, clock, signal } = this.#client;
    const { ways } = this.#target;
    const failures = this.#tries.failures + 1;
    const cuts = this.#tries.cuts + (kind === 'cut' ? 1 : 0);
    const forgotten = this.#tries.forgotten + (kind === 'forgot' ? 1 : 0);
    if (kind === 'refused' && this.#upload && !ways.refuse(this.#upload.way)) throw failure;
    const stale = this.#tries.stale + (kind === 'credentials' ? 1 : 0);
    if (cuts === CUTS || stale === STALE) ways.preferChunks();
    if (kind === 'forgot' && this.#upload?.way === 'chunks') ways.avoidChunks();
    // What was learned can be used at once; everything else may need time.
    const isLesson = kind === 'refused' || kind === 'credentials';
    const delay = isLesson ? 0 : backoff(retry, failures, clock.random(), retryAfter);
    const waited = this.#tries.waited + delay;
    if (failures >= retry.attempts || forgotten >= FORGOTTEN || waited > retry.totalTime) throw failure;
    log.debug(`${failure.message} Sending the blob again in ${(delay / 1000).toFixed(1)} s`);
    if (delay > 0) await sleep(clock, delay, signal);
    return this.#target.open({ failures, cuts, forgotten, stale, waited });
  }
}
