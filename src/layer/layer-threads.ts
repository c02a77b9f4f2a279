import { Worker } from 'node:worker_threads';
import { Gate } from '../core/gate.ts';
import { type FromThread, type LayerTask, receiveError, type ToThread } from './thread-messages.ts';
import type { Sink, WrittenLayer } from './write-layer.ts';

/** Makes layers on other threads: reading, hashing and compressing leave this one to the network. */
export interface LayerWriter {
  /** Layers that are made at once, each on a thread of its own. */
  readonly width: number;
  /** Writes one layer into `sink`, when a thread is free. Rejects with UserError `file` or `definition`, or with what `sink` throws. */
  write(task: LayerTask, sink: Sink): Promise<WrittenLayer>;
  /** Ends all threads, whatever they are doing. */
  close(): Promise<void>;
}

/**
 * The heap of a thread, in MiB: it holds names and a few buffers, and what is young dies young. Larger, it only takes
 * memory before it is collected.
 */
const HEAP = { maxYoungGenerationSizeMb: 4 } as const;

/** Threads that run `program` (which must call `serveLayers` there), started when they are needed, at most `width`. */
export class LayerThreads implements LayerWriter {
  readonly width: number;
  readonly #program: URL;
  readonly #gate: Gate;
  readonly #idle: LayerThread[] = [];
  readonly #all = new Set<LayerThread>();

  constructor(program: URL, width: number) {
    this.#program = program;
    this.#gate = new Gate(width);
    this.width = width;
  }

  write(task: LayerTask, sink: Sink): Promise<WrittenLayer> {
    return this.#gate.run(async () => {
      const thread = this.#idle.pop() ?? this.#start();
      try {
        const written = await thread.write(task, sink);
        this.#idle.push(thread);
        return written;
      } catch (error) {
        // It may be in the middle of something.
        this.#all.delete(thread);
        await thread.end();
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#all].map((thread) => thread.end()));
  }

  #start(): LayerThread {
    const thread = new LayerThread(new Worker(this.#program, { resourceLimits: HEAP }));
    this.#all.add(thread);
    return thread;
  }
}

class LayerThread {
  readonly #worker: Worker;
  #receive: ((message: FromThread) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on('message', (message: FromThread) => this.#receive?.(message));
    worker.on('error', (error) => this.#fail?.(error));
    worker.on('exit', (code) => this.#fail?.(new Error(`a layer's thread ended with code ${code}`)));
  }

  write(task: LayerTask, sink: Sink): Promise<WrittenLayer> {
    return new Promise((resolve, reject) => {
      // One chunk after the other, although they may come faster than the sink takes them.
      let taken: Promise<void> = Promise.resolve();
      this.#fail = reject;
      this.#receive = (message) => {
        if (message.kind === 'failed') reject(receiveError(message.error));
        else if (message.kind === 'written') taken.then(() => resolve(message.layer), reject);
        else {
          const { memory, length, read } = message;
          taken = taken.then(() => sink(new Uint8Array(memory, 0, length), read));
          taken.then(() => this.#post({ kind: 'taken', memory }, [memory]), reject);
        }
      };
      this.#post({ kind: 'write', task });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }
}
