import { Worker } from 'node:worker_threads';
import { receiveError } from '../core/sent-error.ts';
import { ThreadPool } from '../core/thread-pool.ts';
import { DISK_THREAD, type DiskAnswer, type HashTask } from './disk-task.ts';

/**
 * Heap of a thread whose memory is buffers, in MiB. V8 lets garbage lie as long as there is room: two threads of an upload take
 * some 15 MiB less so.
 */
export const SMALL_HEAP = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 } as const;

/** Threads that hash disks, at most `width`, started when they are needed. */
export class DiskThreads {
  readonly #pool: ThreadPool<DiskThread>;

  /** `program` must call `serveDisk` on a thread whose `workerData` is `DISK_THREAD`: this program's own file does. */
  constructor(program: URL, width: number) {
    this.#pool = new ThreadPool(() => new DiskThread(program), width);
  }

  /** Gives all threads the same task, of which each takes what the others have not. Rejects with the first failure, when all have ended. */
  async hash(task: HashTask): Promise<void> {
    // Few blocks are hashed sooner than a thread starts.
    const width = Math.min(this.#pool.width, Math.ceil(task.blocks.length / FEW));
    const ends = await Promise.allSettled(
      Array.from({ length: width }, () =>
        this.#pool
          .run((thread) => thread.hash(task))
          .catch((error: unknown) => {
            // The others need not go on.
            Atomics.store(task.taken, 0, task.blocks.length);
            throw error;
          }),
      ),
    );
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Ends all threads, whatever they are doing. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}

/** Blocks that one thread hashes while another would start: 64 MiB. */
const FEW = 128;

class DiskThread {
  readonly #worker: Worker;
  #answer: ((answer: DiskAnswer) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #hasEnded = false;

  constructor(program: URL) {
    this.#worker = new Worker(program, { workerData: DISK_THREAD, resourceLimits: SMALL_HEAP });
    this.#worker.on('message', (answer: DiskAnswer) => this.#answer?.(answer));
    this.#worker.on('error', (error) => this.#fail?.(error));
    this.#worker.on('exit', (code) => {
      this.#hasEnded = true;
      this.#fail?.(new Error(`a disk's thread ended with code ${code}`));
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  hash(task: HashTask): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject;
      this.#answer = (answer) => (answer.kind === 'done' ? resolve() : reject(receiveError(answer.error)));
      this.#worker.postMessage(task);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
