import { UserError } from '../../../core/error.ts';
import { Gate } from '../../../core/gate.ts';
import type { Log } from '../../../core/log.ts';
import {
  backoff,
  type Clock,
  isTooManyRequests,
  parseRetryAfter,
  type RetryPolicy,
  sleep,
} from '../../../core/retry.ts';
import { type RequestLimit, RequestRate } from './request-rate.ts';

/** Requests under way to one host; registries and their proxies cut off clients that open many more connections. */
const IN_FLIGHT = 16;

/**
 * Requests a minute that registries are known to allow. GHCR's 429 says "allowed: 2000/minute", for all jobs of a user.
 * Others are asked as fast as they answer until they say that it is too fast.
 */
const KNOWN_LIMITS: ReadonlyMap<string, number> = new Map([['ghcr.io', 2000]]);

/** Milliseconds over which known limits count. */
const MINUTE = 60_000;

/**
 * Milliseconds between requests after a host said for the first time that they were too many; each further time doubles
 * them. ECR's strictest limit, for manifests, is ten a second.
 */
const SLOWED = 100;
const SLOWEST = 2000;

/** The request that an answer belongs to. */
interface Sent {
  /** Milliseconds since 1970. Requests of one wave slow the host down once. */
  readonly sentAt: number;
  readonly policy: RetryPolicy;
  readonly log: Log;
}

/**
 * What all requests of a process to one host share: so many at once, and a pace. One answer that says "too many" pauses all
 * of them and slows them down afterwards; a minute without another one lets them go twice as fast again.
 */
export class RequestBudget {
  readonly #host: string;
  readonly #clock: Clock;
  readonly #gate = new Gate(IN_FLIGHT);
  readonly #rates = new Map<string, RequestRate>();
  /** Milliseconds between requests at the full pace and now; 0 is as fast as the host answers. */
  readonly #usual: number;
  #interval: number;
  /** Milliseconds of requests that may be sent ahead of the pace, likewise. */
  readonly #usuallyAhead: number;
  #ahead: number;
  /** When the next request is due, at the pace. */
  #due = 0;
  /** The end of the pause. */
  #resume = 0;
  /** When the host last refused, or the pace last changed. */
  #changed = 0;
  #refusals = 0;
  #longest = Number.POSITIVE_INFINITY;

  constructor(host: string, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    const limit = KNOWN_LIMITS.get(host);
    // Half of a minute's requests may come at once, the other half is spread: no minute ever sees more.
    this.#usual = limit === undefined ? 0 : MINUTE / (limit / 2);
    this.#usuallyAhead = limit === undefined ? 0 : MINUTE;
    this.#ahead = this.#usuallyAhead;
    this.#interval = this.#usual;
  }

  /** Runs `work` when fewer than sixteen others are under way. */
  inFlight<T>(work: () => Promise<T>): Promise<T> {
    return this.#gate.run(work);
  }

  /**
   * Waits until a request may be sent, by the host's pace and the limit that the request counts against. Throws UserError `registry` when the host's pause is longer than anybody waits,
   * `cancelled` when the signal fires.
   */
  async turn(signal?: AbortSignal, limit?: RequestLimit): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      if (this.#resume - now > this.#longest) throw this.#tooLong(this.#resume - now);
      this.#recover(now);
      const paced = Math.max(now, this.#resume, this.#due - this.#ahead);
      const begins = limit === undefined ? paced : this.#rate(limit).book(paced);
      this.#due = Math.max(this.#due, paced) + this.#interval;
      if (begins > now) await sleep(this.#clock, begins - now, signal);
      // A pause that was announced meanwhile holds for those in the queue, too.
      if (this.#resume <= begins) return;
    }
  }

  /** Looks whether the host says that there were too many requests; then all of them wait, and go slower afterwards. */
  heed({ status, headers }: Pick<Response, 'status' | 'headers'>, { sentAt, policy, log }: Sent): void {
    const now = this.#clock.now();
    const retryAfter = parseRetryAfter(headers.get('retry-after'), now);
    if (!isTooManyRequests(status, retryAfter)) return;
    // A few milliseconds, as GHCR asks for, are over for all jobs at once: waiting longer each time spreads them.
    const wait = Math.max(retryAfter ?? 0, backoff(policy, this.#refusals + 1, this.#clock.random()));
    const isFirst = this.#refusals === 0 || sentAt > this.#changed;
    this.#resume = Math.max(this.#resume, now + wait);
    this.#longest = policy.maxRetryAfter;
    if (!isFirst) return;
    this.#refusals += 1;
    this.#interval = Math.min(Math.max(SLOWED, 2 * this.#interval), SLOWEST);
    this.#ahead = 0;
    this.#due = this.#resume;
    this.#changed = now;
    if (wait > this.#longest) return;
    const pace =
      this.#interval > 500 ? `one every ${seconds(this.#interval)} s` : `${Math.floor(1000 / this.#interval)} a second`;
    log.warn(`${this.#host} limits requests: waiting ${seconds(wait)} s, then at most ${pace}`);
  }

  #rate(limit: RequestLimit): RequestRate {
    const rate = this.#rates.get(limit.kind) ?? new RequestRate(limit);
    this.#rates.set(limit.kind, rate);
    return rate;
  }

  #recover(now: number): void {
    if (this.#refusals === 0 || now - Math.max(this.#changed, this.#resume) < MINUTE) return;
    this.#changed = now;
    this.#interval = this.#interval / 2 < SLOWED ? this.#usual : this.#interval / 2;
    if (this.#interval !== this.#usual) return;
    this.#refusals = 0;
    this.#ahead = this.#usuallyAhead;
  }

  #tooLong(wait: number): UserError {
    return new UserError('registry', `${this.#host} limits requests and asks us to wait ${seconds(wait)} s`, {
      hint: 'Run again after that time, log in if the limit is for anonymous users, or ask for a higher limit.',
      docs: 'registries.md#limits-of-requests',
    });
  }
}

const seconds = (milliseconds: number): string => String(Math.ceil(milliseconds / 100) / 10);
