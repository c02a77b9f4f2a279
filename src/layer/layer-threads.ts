import { Worker } from 'node:worker_threads';
import { receiveError } from '../core/sent-error.ts';
import { ThreadPool } from '../core/thread-pool.ts';
import { CREW, type Crew, type FromThread, type LayerTask, type ToThread } from './thread-messages.ts';
import type { Sink, WrittenLayer } from './write-layer.ts';

/** Makes layers on other threads: reading, hashing and compressing leave this one to the network. */
export interface LayerWriter {
  /** Layers that are made at once, each on a thread of its own. */
  readonly width: number;
  /** Writes one layer into `sink`, when a thread is free, whose number from 0 on `began` is told; of one that is only hashed `sink` gets no bytes, and how many were read. Rejects with UserError `file` or `definition`, or with what `sink` throws. */
  write(task: LayerTask, sink: Sink, began?: (thread: number) => void): Promise<WrittenLayer>;
  /** Ends all threads, whatever they are doing. */
  close(): Promise<void>;
}

/**
 * The heap of a thread, in MiB: it holds names and a few buffers, and what is young dies young. Larger, it only takes
 * memory before it is collected.
 */
const HEAP = { maxYoungGenerationSizeMb: 2 } as const;

/** Threads that run `program` (which must call `serveLayers` there), started when they are needed, at most `width`. */
export class LayerThreads implements LayerWriter {
  readonly #pool: ThreadPool<LayerThread>;
  readonly #crew: Crew = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));

  constructor(program: URL, width: number) {
    let started = 0;
    const start = (): LayerThread => new LayerThread(new Worker(program, { resourceLimits: HEAP }), started++);
    this.#pool = new ThreadPool(start, width);
  }

  get width(): number {
    return this.#pool.width;
  }

  write(task: LayerTask, sink: Sink, began?: (thread: number) => void): Promise<WrittenLayer> {
    const crew = this.#crew;
    return this.#pool.run(async (thread) => {
      began?.(thread.number);
      const atWork = Atomics.add(crew, CREW.atWork, 1) + 1;
      // Nobody but this thread writes it.
      Atomics.store(crew, CREW.most, Math.max(atWork, Atomics.load(crew, CREW.most)));
      try {
        return await thread.write(task, crew, sink);
      } finally {
        Atomics.sub(crew, CREW.atWork, 1);
      }
    });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

const NOTHING = new Uint8Array(0);

class LayerThread {
  readonly number: number;
  readonly #worker: Worker;
  #receive: ((message: FromThread) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #hasEnded = false;

  constructor(worker: Worker, number: number) {
    this.#worker = worker;
    this.number = number;
    worker.on('message', (message: FromThread) => this.#receive?.(message));
    worker.on('error', (error) => this.#fail?.(error));
    worker.on('exit', (code) => {
      this.#hasEnded = true;
      this.#fail?.(new Error(`a layer's thread ended with code ${code}`));
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  write(task: LayerTask, crew: Crew, sink: Sink): Promise<WrittenLayer> {
    return new Promise((resolve, reject) => {
      // One chunk after the other, although they may come faster than the sink takes them.
      let taken: Promise<void> = Promise.resolve();
      this.#fail = reject;
      this.#receive = (message) => {
        if (message.kind === 'failed') reject(receiveError(message.error));
        else if (message.kind === 'written') taken.then(() => resolve(message.layer), reject);
        else if (message.kind === 'hashed') {
          const { read } = message;
          taken = taken.then(() => sink(NOTHING, read));
          taken.catch(reject);
        } else {
          const { memory, length, read } = message;
          taken = taken.then(() => sink(new Uint8Array(memory, 0, length), read));
          taken.then(() => this.#post({ kind: 'taken', memory }, [memory]), reject);
        }
      };
      this.#post({ kind: 'write', task, crew });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
