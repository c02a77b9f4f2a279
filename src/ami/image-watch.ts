import type { AmiRecord, Ec2Api } from '../aws/ec2-api.ts';
import { cancelled } from '../core/error.ts';
import { type Clock, sleep } from '../core/retry.ts';
import { pauseOf, type Waiting } from './settle.ts';

/** Somebody who waits for an AMI to be as it should. */
interface Watcher {
  readonly id: string;
  readonly limit: number;
  /** When it gives up, in milliseconds since 1970. */
  readonly end: number;
  /** Hears what the AMI is; whether that was all. */
  see(image: AmiRecord | undefined): boolean;
  giveUp(): void;
  fail(error: unknown): void;
}

/** Looks at the AMIs of one region for all who wait for one: a request a round, however many they are, for EC2 limits them by the account. */
export class ImageWatch {
  readonly #ec2: Pick<Ec2Api, 'images'>;
  readonly #watchers = new Set<Watcher>();
  #isRunning = false;
  #nap: AbortController | undefined;

  constructor(ec2: Pick<Ec2Api, 'images'>) {
    this.#ec2 = ec2;
  }

  /**
   * Resolves with the first answer of `look` that is one, of a request that was sent after the call; undefined when that took longer than `limit`
   * milliseconds. Rejects with what `look` throws, what AWS refuses, and with UserError `cancelled` when the signal fires.
   */
  async until<T>(
    id: string,
    look: (image: AmiRecord | undefined) => T | undefined,
    limit: number,
    { clock, signal }: Waiting,
  ): Promise<T | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    const see = (image: AmiRecord | undefined): boolean => {
      const found = look(image);
      if (found !== undefined) resolve(found);
      return found !== undefined;
    };
    const giveUp = (): void => resolve(undefined);
    const watcher = { id, limit, see, giveUp, end: clock.now() + limit, fail: reject };
    const stop = (): void => this.#failAll([watcher], cancelled(signal?.reason));
    if (signal?.aborted) throw cancelled(signal.reason);
    signal?.addEventListener('abort', stop, { once: true });
    this.#watchers.add(watcher);
    this.#nap?.abort();
    if (!this.#isRunning) void this.#run(clock);
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** Never rejects: whoever waits hears of failures. */
  async #run(clock: Clock): Promise<void> {
    this.#isRunning = true;
    for (let number = 0; this.#watchers.size > 0; number += 1) {
      // Those who come in the same turn are asked for at once.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const asked = new Set(this.#watchers);
      await this.#look(asked);
      const isJoined = [...this.#watchers].some((one) => !asked.has(one));
      if (this.#watchers.size === 0) break;
      if (isJoined) number = -1;
      else if (!(await this.#pause(number, clock))) number = -1;
    }
    this.#isRunning = false;
  }

  async #look(asked: ReadonlySet<Watcher>): Promise<void> {
    try {
      const images = await this.#ec2.images({ ids: [...new Set([...asked].map(({ id }) => id))] });
      for (const watcher of asked) this.#tell(watcher, images);
    } catch (error) {
      this.#failAll(asked, error);
    }
  }

  #tell(watcher: Watcher, images: readonly AmiRecord[]): void {
    try {
      if (watcher.see(images.find(({ id }) => id === watcher.id))) this.#watchers.delete(watcher);
    } catch (error) {
      this.#failAll([watcher], error);
    }
  }

  #failAll(watchers: Iterable<Watcher>, error: unknown): void {
    for (const watcher of watchers) {
      this.#watchers.delete(watcher);
      watcher.fail(error);
    }
    if (this.#watchers.size === 0) this.#nap?.abort();
  }

  /** Waits until the next look; false where somebody has come who wants one now. Whose time would be over by then gives up. */
  async #pause(number: number, clock: Clock): Promise<boolean> {
    const shortest = Math.min(...[...this.#watchers].map(({ limit }) => limit));
    const pause = pauseOf(number, clock.random(), shortest);
    for (const watcher of this.#watchers) {
      if (clock.now() + pause <= watcher.end) continue;
      this.#watchers.delete(watcher);
      watcher.giveUp();
    }
    if (this.#watchers.size === 0) return true;
    const nap = new AbortController();
    this.#nap = nap;
    try {
      await sleep(clock, pause, nap.signal);
      return true;
    } catch (error) {
      if (!nap.signal.aborted) throw error;
      return false;
    } finally {
      this.#nap = undefined;
    }
  }
}
