import type { BlockPool } from '../../../core/block-pool.ts';
import { ChunkBuffer } from '../../../core/chunk-buffer.ts';
import { backoff, sleep } from '../../../core/retry.ts';
import type { RegistryClient } from '../client.ts';
import { redactUrl } from '../endpoint.ts';
import { drain } from '../fetch/response-body.ts';
import { forgottenUpload, type LostUpload, lossByAnswer, lossOfLine } from './lost-upload.ts';
import type { UploadSession } from './upload-session.ts';
import { CHUNK_SIZE } from './upload-way.ts';

/** A blob on its way in chunks. Each is kept until it has arrived, so that only what is missing of it is sent again. */
export class ChunkedUpload {
  readonly way = 'chunks';
  readonly #client: RegistryClient;
  readonly #session: UploadSession;
  readonly #pages: BlockPool;
  #buffer: ChunkBuffer;
  #inFlight: Promise<void> = Promise.resolve();
  /** Bytes handed to chunks so far. */
  #offset = 0;

  /** Starts with what `held` holds. */
  constructor(client: RegistryClient, session: UploadSession, held: ChunkBuffer, pages: BlockPool) {
    this.#client = client;
    this.#session = session;
    this.#pages = pages;
    held.widen(CHUNK_SIZE);
    this.#buffer = held;
  }

  /** Takes the next bytes. Throws LostUpload, and UserError where another upload cannot help. */
  async write(chunk: Uint8Array): Promise<void> {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#buffer.isFull) await this.#flush();
      rest = rest.subarray(this.#buffer.append(rest));
    }
  }

  /** Sends the rest; the session can be finished then. Throws as `write` does. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#inFlight;
  }

  async abort(): Promise<void> {
    await this.#inFlight.catch(() => undefined);
    this.#buffer.clear();
  }

  /** Sends the buffer in the background and goes on with another: two chunks of memory. */
  async #flush(): Promise<void> {
    await this.#inFlight;
    const full = this.#buffer;
    this.#buffer = new ChunkBuffer(CHUNK_SIZE, this.#pages);
    const start = this.#offset;
    this.#offset += full.length;
    this.#inFlight = sendChunk(this.#client, this.#session, full, start).finally(() => full.clear());
    // The next flush, `end` or `abort` sees the failure; until then it is not unhandled.
    this.#inFlight.catch(() => undefined);
  }
}

/** Sends a chunk and, when the line breaks in the middle of it, only the rest. */
async function sendChunk(
  client: RegistryClient,
  session: UploadSession,
  chunk: ChunkBuffer,
  start: number,
): Promise<void> {
  let done = 0;
  let failures = 0;
  let stuckSince = 0;
  while (done < chunk.length) {
    const loss = await sendPart(client, session, chunk, { start, done });
    if (loss === undefined) return;
    failures += 1;
    if (failures === 1) stuckSince = client.clock.now();
    // A registry that answers questions but takes no bytes costs the whole time-out with each try.
    const isTooLong = client.clock.now() - stuckSince > client.retry.totalTime;
    if (failures >= client.retry.attempts || isTooLong) throw loss.failure;
    if (loss.kind === 'forgot') throw loss;
    if (loss.kind !== 'refused') {
      client.log.debug(`asking what arrived of ${redactUrl(session.url)}`);
      await sleep(client.clock, backoff(client.retry, failures, client.clock.random(), loss.retryAfter), client.signal);
    }
    const received = await session.received();
    const isInChunk = received !== undefined && received >= start && received <= start + chunk.length;
    // Either what arrived is not what we thought, or the chunk itself is what the registry does not like.
    if (loss.kind === 'refused' && (!isInChunk || received - start === done)) throw loss;
    if (received === undefined) throw forgottenUpload(session, 'the registry forgot it', loss.failure);
    if (!isInChunk) {
      throw forgottenUpload(
        session,
        `the registry has ${received} bytes, between ${start} and ${start + chunk.length} were sent`,
        loss.failure,
      );
    }
    // Bytes that arrived are progress: the count starts again.
    if (received - start > done) [failures, stuckSince] = [1, client.clock.now()];
    done = received - start;
  }
}

/** Sends the chunk from `done` on. Returns why that failed. */
async function sendPart(
  client: RegistryClient,
  session: UploadSession,
  chunk: ChunkBuffer,
  { start, done }: { readonly start: number; readonly done: number },
): Promise<LostUpload | undefined> {
  let reply: Awaited<ReturnType<UploadSession['patch']>>;
  try {
    reply = await session.patch(chunk.body(done), start + done);
  } catch (error) {
    return lossOfLine(client, session, error);
  }
  if (!reply.response.ok) return lossByAnswer(client, session, reply);
  await drain(reply.response);
  return undefined;
}
