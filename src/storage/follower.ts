import type { Descriptor } from '../oci/descriptor.ts';
import { type BlobWriter, BrokenUpload, type ImageDestination } from './destination.ts';

/**
 * Bytes that wait for a follower at most, over all of its blobs: enough for a line that falters for a moment, and a small
 * part of the memory that a publish may take.
 */
const WAITING = 16 * 1024 * 1024;

/** A follower's part of one blob. No call waits or fails. */
export interface FollowerLane {
  /** Takes the next bytes, which are copied: their maker uses the chunk again. */
  write(chunk: Uint8Array): void;
  /** All bytes have passed. */
  end(descriptor: Descriptor): void;
  /** Forgets the blob. */
  drop(): void;
}

/**
 * A destination that is allowed to fail, and takes what is sent to others as it passes. Where it is too slow, or its upload
 * breaks, it takes no further blob: what it does not have is copied to it afterwards. It delays nobody.
 */
export class Follower {
  readonly #destination: ImageDestination;
  readonly #ready: Promise<void>;
  readonly #underway = new Set<Promise<void>>();
  #room = WAITING;
  #isOut = false;
  #failure: unknown;

  /** `ready` is what must be done before anything is written to it. */
  constructor(destination: ImageDestination, ready: Promise<void> = Promise.resolve()) {
    this.#destination = destination;
    this.#ready = ready;
    ready.catch((error: unknown) => this.#fail(error));
  }

  /** A part of the next blob; `known` where its digest is known before its bytes. */
  begin(known?: Descriptor): FollowerLane {
    if (this.#isOut) return NO_LANE;
    const queue = new LaneQueue();
    const work = this.#send(queue, known)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#room += queue.clear();
        this.#underway.delete(work);
      });
    this.#underway.add(work);
    return {
      write: (chunk) => {
        if (queue.isClosed) return;
        if (chunk.length > this.#room) {
          this.#isOut = true;
          this.#room += queue.clear();
        } else {
          this.#room -= chunk.length;
          queue.add(Buffer.from(chunk));
        }
      },
      end: (descriptor) => queue.end(descriptor),
      drop: () => {
        this.#room += queue.clear();
      },
    };
  }

  /** Takes a small blob that is at hand. */
  put(descriptor: Descriptor, bytes: Uint8Array): void {
    const lane = this.begin(descriptor);
    lane.write(bytes);
    lane.end(descriptor);
  }

  /** Waits until what is under way has ended. Rejects with what went wrong for good. */
  async settle(): Promise<void> {
    await this.#ready;
    while (this.#underway.size > 0) await Promise.all(this.#underway);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Takes no further blob, and ends those that are under way. */
  stop(): void {
    this.#isOut = true;
  }

  #fail(error: unknown): void {
    this.#isOut = true;
    // The blob may be sent again, by the copy that follows.
    if (!(error instanceof BrokenUpload)) this.#failure ??= error;
  }

  async #send(queue: LaneQueue, known: Descriptor | undefined): Promise<void> {
    await this.#ready;
    if (known && (await this.#destination.hasBlob(known))) return;
    if (this.#isOut) return;
    const writer = await this.#destination.openBlob();
    const descriptor = await this.#pass(queue, writer);
    await (descriptor ? writer.commit(descriptor) : writer.abort());
  }

  /** Passes what is in the queue to its end; undefined where the blob is not to be kept. */
  async #pass(queue: LaneQueue, writer: BlobWriter): Promise<Descriptor | undefined> {
    try {
      for (;;) {
        const next = await queue.next();
        if (this.#isOut || next === undefined) return undefined;
        if (!(next instanceof Uint8Array)) return next;
        await writer.write(next);
        this.#room += next.length;
      }
    } catch (error) {
      if (!(error instanceof BrokenUpload)) await writer.abort();
      throw error;
    }
  }
}

const NO_LANE: FollowerLane = { write: () => {}, end: () => {}, drop: () => {} };

/** Chunks of one blob that wait for its writer. */
class LaneQueue {
  #chunks: Uint8Array[] = [];
  #end: Descriptor | undefined;
  #isClosed = false;
  #wake: () => void = () => {};

  get isClosed(): boolean {
    return this.#isClosed;
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake();
  }

  end(descriptor: Descriptor): void {
    this.#end = descriptor;
    this.#wake();
  }

  /** Takes nothing more; gives the bytes that nobody will take. */
  clear(): number {
    const bytes = this.#chunks.reduce((sum, { length }) => sum + length, 0);
    this.#chunks = [];
    this.#isClosed = true;
    this.#wake();
    return bytes;
  }

  /** The next chunk, or the descriptor at the end; undefined when it was cleared. */
  async next(): Promise<Uint8Array | Descriptor | undefined> {
    while (!this.#isClosed && this.#chunks.length === 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#isClosed ? undefined : (this.#chunks.shift() ?? this.#end);
  }
}
