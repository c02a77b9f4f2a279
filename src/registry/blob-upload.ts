import type { Descriptor } from '../image/descriptor.ts';
import type { BlockPool } from '../io/block-pool.ts';
import { UserError } from '../io/error.ts';
import type { Body } from './body.ts';
import { ChunkBuffer } from './chunk-buffer.ts';
import { digestMismatch } from './digest-check.ts';
import { redactUrl } from './endpoint.ts';
import { describeNetworkError, networkFailure } from './network-error.ts';
import type { RegistryApi } from './registry-api.ts';
import type { BlobWriter } from './repository.ts';
import { cancelled, drain } from './response-body.ts';
import { backoff, isRetriableStatus, parseRetryAfter, sleep } from './retry.ts';
import { UploadSession } from './upload-session.ts';

/**
 * Up to here a blob is held back, in bytes, so that its digest is known before the first byte is sent (and it need
 * not be sent at all if the registry has it); beyond, it goes out in chunks. A chunk's size: a layer under way then takes
 * no more memory while it is held back than afterwards.
 */
const HELD_BACK = 8 * 1024 * 1024;
/**
 * Bytes of a chunk: large enough that round trips do not count and above the 5 MiB that registries on object stores
 * want; no larger, because it must be kept until it has arrived.
 */
const CHUNK_SIZE = 8 * 1024 * 1024;
// A chunk has to fit into memory; no registry is known that asks for more than 10 MiB.
const CHUNK_LIMIT = 256 * 1024 * 1024;

export interface UploadHooks {
  readonly has: (descriptor: Descriptor) => Promise<boolean>;
  readonly put: (descriptor: Descriptor, body: Body) => Promise<void>;
  /** Called with the number of bytes that have reached the registry. */
  readonly sent: (bytes: number) => void;
  /** The registry has the blob now. */
  readonly stored: (descriptor: Descriptor) => void;
  /** The writer holds nothing any more. */
  readonly ended: () => void;
}

const lostUpload = (session: UploadSession, what: string, cause?: unknown): UserError =>
  new UserError('registry', `The upload ${redactUrl(session.url)} cannot go on: ${what}.`, {
    hint: 'Run again. If it comes back, the replicas behind the registry’s address may not share their uploads.',
    cause,
  });

/** Sends a buffer in chunks and, when the line breaks in the middle of one, only the rest of it. */
const sendChunk = async (
  api: RegistryApi,
  session: UploadSession,
  chunk: ChunkBuffer,
  start: number,
): Promise<void> => {
  let done = 0;
  let failures = 0;
  let stuckSince = 0;
  // Where chunks have to be larger, the last part of a buffer would be too small.
  const limit = session.minimumChunk > CHUNK_SIZE ? chunk.length : CHUNK_SIZE;
  while (done < chunk.length) {
    const part = chunk.body(done, Math.min(chunk.length, done + limit));
    let problem: {
      readonly text: string;
      readonly error: () => Promise<Error>;
      readonly retryAfter?: number | undefined;
    };
    try {
      const reply = await session.patch(part, start + done);
      const { status, headers } = reply.response;
      if (reply.response.ok) {
        await drain(reply.response, api.signal);
        done += part.length;
        failures = 0;
        continue;
      }
      // 416: what arrived before is not what we think it is; the status below tells.
      const error = await api.transport.failure(reply, 'PATCH');
      if (status === 404) throw lostUpload(session, 'the registry forgot it', error);
      if (!isRetriableStatus(status) && status !== 416) throw error;
      const retryAfter = parseRetryAfter(headers.get('retry-after'), api.clock.now());
      problem = { text: `was answered ${status}`, error: async () => error, retryAfter };
    } catch (error) {
      if (error instanceof UserError) throw error;
      if (api.signal?.aborted) throw cancelled(error);
      const what = `PATCH ${redactUrl(session.url)}`;
      problem = {
        text: `failed (${describeNetworkError(error)})`,
        error: async () => networkFailure(error, what, session.url.host),
      };
    }
    failures += 1;
    if (failures === 1) stuckSince = api.clock.now();
    // A registry that answers questions but takes no bytes costs the whole time-out with each try.
    const isTooLong = api.clock.now() - stuckSince > api.retry.totalTime;
    if (failures >= api.retry.attempts || isTooLong) throw await problem.error();
    api.log.debug(`PATCH ${redactUrl(session.url)} ${problem.text}; asking what arrived`);
    await sleep(api.clock, backoff(api.retry, failures, api.clock.random(), problem.retryAfter), api.signal);
    const received = await session.received();
    if (received === undefined) throw lostUpload(session, 'the registry forgot it', await problem.error());
    if (received < start || received > start + chunk.length) {
      throw lostUpload(
        session,
        `the registry has ${received} bytes, between ${start} and ${start + chunk.length} were sent`,
      );
    }
    // Bytes that arrived are progress: the count starts anew.
    if (received - start > done) [failures, stuckSince] = [1, api.clock.now()];
    done = received - start;
  }
};

/** Writes a blob to a registry: at once when it is small, in chunks while it comes when it is large. */
export class RegistryBlobWriter implements BlobWriter {
  readonly #api: RegistryApi;
  readonly #hooks: UploadHooks;
  readonly #pages: BlockPool;
  #buffer: ChunkBuffer;
  #session: UploadSession | undefined;
  #inFlight: Promise<void> = Promise.resolve();
  /** Bytes handed to chunks so far. */
  #offset = 0;
  #size = 0;

  constructor(api: RegistryApi, pages: BlockPool, hooks: UploadHooks) {
    this.#api = api;
    this.#pages = pages;
    this.#buffer = new ChunkBuffer(HELD_BACK, pages);
    this.#hooks = hooks;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    this.#size += chunk.length;
    while (rest.length > 0) {
      if (this.#buffer.isFull) await this.#flush();
      rest = rest.subarray(this.#buffer.append(rest));
    }
  }

  async commit(descriptor: Descriptor): Promise<void> {
    try {
      if (this.#session === undefined) await this.#commitHeld(descriptor);
      else await this.#commitChunks(this.#session, descriptor);
    } catch (error) {
      await this.abort();
      throw error;
    }
    this.#session = undefined;
    this.#hooks.stored(descriptor);
    this.#hooks.ended();
  }

  async abort(): Promise<void> {
    await this.#inFlight.catch(() => undefined);
    const session = this.#session;
    this.#session = undefined;
    this.#buffer.clear();
    await session?.cancel();
    this.#hooks.ended();
  }

  async #commitHeld(descriptor: Descriptor): Promise<void> {
    if (this.#size !== descriptor.size) throw digestMismatch('The blob to send', descriptor, `${this.#size} bytes`);
    await this.#hooks.put(descriptor, this.#buffer.body());
    this.#buffer.clear();
  }

  async #commitChunks(session: UploadSession, descriptor: Descriptor): Promise<void> {
    if (this.#size !== descriptor.size) throw digestMismatch('The blob to send', descriptor, `${this.#size} bytes`);
    await this.#flush();
    await this.#inFlight;
    await this.#finish(session, descriptor);
  }

  /** Sends the full buffer in the background and goes on with another: two chunks of memory. */
  async #flush(): Promise<void> {
    this.#session ??= await this.#open();
    await this.#inFlight;
    if (this.#session.minimumChunk > this.#buffer.capacity) this.#grow(this.#session);
    // After growing there is room again; only the last chunk, at commit, may be smaller.
    if (!this.#buffer.isFull && this.#buffer.length < this.#size - this.#offset) return;
    const full = this.#buffer;
    const capacity = Math.max(CHUNK_SIZE, this.#session.minimumChunk);
    this.#buffer = new ChunkBuffer(capacity, this.#pages);
    const start = this.#offset;
    this.#offset += full.length;
    this.#inFlight = sendChunk(this.#api, this.#session, full, start).then(() => {
      this.#hooks.sent(full.length);
      full.clear();
    });
    // The next flush, commit or abort sees the failure; until then it is not unhandled.
    this.#inFlight.catch(() => undefined);
  }

  /** Replaces the buffer by one that holds the smallest chunk the registry takes. */
  #grow({ minimumChunk }: UploadSession): void {
    const wider = new ChunkBuffer(minimumChunk, this.#pages);
    for (const piece of this.#buffer.body().pieces()) wider.append(piece);
    this.#buffer.clear();
    this.#buffer = wider;
  }

  async #open(): Promise<UploadSession> {
    const session = await UploadSession.open(this.#api);
    if (session.minimumChunk <= CHUNK_LIMIT) return session;
    throw lostUpload(session, `the registry wants chunks of at least ${session.minimumChunk} bytes`);
  }

  async #finish(session: UploadSession, descriptor: Descriptor): Promise<void> {
    try {
      await session.finish(descriptor.digest);
    } catch (error) {
      // The reply to a PUT that worked may have been lost; a second one finds no upload any more.
      if (error instanceof UserError && error.code === 'cancelled') throw error;
      if (error instanceof UserError && error.code === 'digest') throw error;
      if (!(await this.#hooks.has(descriptor).catch(() => false))) throw error;
    }
  }
}
