import type { Clock } from '../core/retry.ts';

/** Keys of AWS. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** When they end. */
  readonly expiration?: Date | undefined;
}

/** Gives keys; with `forceRefresh` others than before, as AWS's own clients have it. */
export type AskKeys = (options?: { readonly forceRefresh?: boolean }) => Promise<AwsKeys>;

/** Milliseconds before their end that keys are renewed: longer than any request takes. */
const EARLY = 300_000;

/** Milliseconds between renewals before the end: some sources have no others to give. */
const RARELY = 60_000;

/** Who we are to AWS, and what time it is there: shared by all requests of a thread, so that each is learnt once. */
export class AwsSession {
  readonly #ask: AskKeys;
  readonly #clock: Pick<Clock, 'now'>;
  #keys: Promise<AwsKeys> | undefined;
  /** Milliseconds that the service's clock is ahead of ours. */
  #offset = 0;
  #renewed = Number.NEGATIVE_INFINITY;

  constructor(ask: AskKeys, clock: Pick<Clock, 'now'>) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /** The service's time. */
  now(): Date {
    return new Date(this.#clock.now() + this.#offset);
  }

  learnTime(serverTime: number): void {
    this.#offset = serverTime - this.#clock.now();
  }

  async keys(): Promise<AwsKeys> {
    this.#keys ??= this.#ask();
    const keys = await this.#forgetFailure(this.#keys);
    const now = this.#clock.now();
    const isEnding = keys.expiration !== undefined && keys.expiration.getTime() - (now + this.#offset) < EARLY;
    if (!isEnding || now - this.#renewed < RARELY) return keys;
    this.#renewed = now;
    return this.renew(keys);
  }

  /** New keys in place of `used`, once for all who ask; the same where they have been renewed already. */
  async renew(used: AwsKeys): Promise<AwsKeys> {
    const before = this.#keys;
    const current = await before?.catch(() => undefined);
    if (this.#keys === before && (current === undefined || current === used)) {
      this.#keys = this.#ask({ forceRefresh: true });
    }
    return this.#forgetFailure(this.#keys ?? this.#ask({ forceRefresh: true }));
  }

  /** A failure is not kept: the next request asks again. */
  async #forgetFailure(keys: Promise<AwsKeys>): Promise<AwsKeys> {
    try {
      return await keys;
    } catch (error) {
      if (this.#keys === keys) this.#keys = undefined;
      throw error;
    }
  }
}
