import { Gate } from './gate.ts';

/** What a pool keeps: a thread that does one thing after the other. */
interface Endable {
  /** Whether it has ended, by itself or because it was told to. */
  readonly hasEnded: boolean;
  /** Ends it, whatever it is doing. */
  end(): Promise<void>;
}

/** Threads that are started when they are needed and used again as long as they live, at most `width`. */
export class ThreadPool<T extends Endable> {
  readonly width: number;
  readonly #start: () => T;
  readonly #gate: Gate;
  readonly #idle: T[] = [];
  readonly #all = new Set<T>();

  constructor(start: () => T, width: number) {
    this.#start = start;
    this.#gate = new Gate(width);
    this.width = width;
  }

  /** Gives `work` a thread when one is free. One whose work failed is ended: it may be in the middle of something. */
  run<R>(work: (thread: T) => Promise<R>): Promise<R> {
    return this.#gate.run(async () => {
      const thread = this.#takeIdle() ?? this.#add();
      try {
        const result = await work(thread);
        this.#idle.push(thread);
        return result;
      } catch (error) {
        this.#all.delete(thread);
        await thread.end();
        throw error;
      }
    });
  }

  /** Ends all threads, whatever they are doing. */
  async close(): Promise<void> {
    await Promise.all([...this.#all].map((thread) => thread.end()));
  }

  /** One that waits and lives: memory may have run out in it, for instance, after its work was done. */
  #takeIdle(): T | undefined {
    for (;;) {
      const thread = this.#idle.pop();
      if (thread === undefined || !thread.hasEnded) return thread;
      this.#all.delete(thread);
    }
  }

  #add(): T {
    const thread = this.#start();
    this.#all.add(thread);
    return thread;
  }
}
