import type { BlockPool } from '../../../core/block-pool.ts';
import type { ChunkBuffer } from '../../../core/chunk-buffer.ts';
import { cancelled } from '../../../core/error.ts';
import type { RegistryClient } from '../client.ts';
import { failureOf } from '../failure.ts';
import { drain } from '../fetch/response-body.ts';
import { forgottenUpload, LostUpload, lossByAnswer, lossOfLine } from './lost-upload.ts';
import { PageQueue } from './page-queue.ts';
import type { UploadSession } from './upload-session.ts';

/** Bytes that may wait for the network before the writer does. */
const WAITING = 1024 * 1024;

/** A blob on its way in one PATCH. What was sent is not kept: when it breaks, the blob must be made again. */
export class StreamedUpload {
  readonly way = 'stream';
  readonly #client: RegistryClient;
  readonly #session: UploadSession;
  readonly #queue: PageQueue;
  readonly #stop = new AbortController();
  readonly #sending: Promise<void>;

  /** Starts with what `held` holds. */
  constructor(client: RegistryClient, session: UploadSession, held: ChunkBuffer, pages: BlockPool) {
    this.#client = client;
    this.#session = session;
    this.#queue = new PageQueue(held, pages, WAITING);
    this.#sending = this.#send();
    // The next write, `end` or `abort` sees the failure; until then it is not unhandled.
    this.#sending.catch(() => undefined);
  }

  /** Takes the next bytes, when there is room. Throws LostUpload, and UserError where another upload cannot help. */
  write(chunk: Uint8Array): Promise<void> {
    return this.#queue.write(chunk);
  }

  /** Sends the rest; the session can be finished then. Throws as `write` does. */
  async end(): Promise<void> {
    this.#queue.end();
    await this.#sending;
  }

  async abort(): Promise<void> {
    this.#queue.fail(cancelled());
    this.#stop.abort();
    await this.#sending.catch(() => undefined);
  }

  async #send(): Promise<void> {
    try {
      await this.#exchange();
    } catch (error) {
      this.#queue.fail(error);
      // The registry may have answered without taking the rest, which waits in the socket.
      this.#stop.abort();
      throw error;
    }
  }

  async #exchange(): Promise<void> {
    const { reply, loss } = await this.#session.stream({ pieces: () => this.#queue.pieces() }, this.#stop.signal).then(
      (answered) => ({ reply: answered, loss: undefined }),
      (error: unknown) => ({ reply: undefined, loss: lossOfLine(this.#client, this.#session, error) }),
    );
    if (reply === undefined) {
      // The answer alone may have been lost.
      if (this.#queue.isDrained && (await this.#received()) === this.#queue.size) return;
      throw loss;
    }
    if (reply.isRenewed) {
      throw new LostUpload('credentials', await failureOf(reply));
    }
    if (!reply.response.ok) throw await lossByAnswer(this.#client, this.#session, reply);
    await drain(reply.response);
    if (!this.#queue.isDrained) throw forgottenUpload(this.#session, 'the registry answered before all was sent');
  }

  /** What the registry says it has. Not all can say it, and what they say may be behind. */
  async #received(): Promise<number | undefined> {
    try {
      return await this.#session.received();
    } catch {
      return undefined;
    }
  }
}
