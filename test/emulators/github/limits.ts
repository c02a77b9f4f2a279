import { Refusal } from './refusal.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export interface LimitModes {
  /** Requests an hour. Default: 1,000, what a job's token has. */
  readonly anHour?: number;
  /** Points a minute, of which a GET costs one and a change five (docs.github.com, "Rate limits for the REST API"). Default: 900. */
  readonly pointsAMinute?: number;
  /** Seconds in the `retry-after` of the secondary limit; undefined leaves the header out. */
  readonly retryAfter?: number;
  /** Status of the secondary limit: GitHub uses both. Default: 403. */
  readonly secondaryStatus?: 403 | 429;
}

const SECONDARY = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';

/** GitHub's two limits on one token. */
export class Limits {
  readonly #modes: LimitModes;
  readonly #now: () => number;
  #hour = { began: 0, used: 0 };
  #minute = { began: 0, points: 0 };

  constructor(modes: LimitModes, now: () => number) {
    this.#modes = modes;
    this.#now = now;
  }

  /** Counts a request, and gives the headers of its answer. Throws Refusal when there were too many. */
  count(method: string): Record<string, string> {
    const now = this.#now();
    const { anHour = 1000, pointsAMinute = 900, retryAfter, secondaryStatus = 403 } = this.#modes;
    if (now >= this.#hour.began + HOUR_MS) this.#hour = { began: now, used: 0 };
    if (now >= this.#minute.began + MINUTE_MS) this.#minute = { began: now, points: 0 };
    this.#hour.used += 1;
    this.#minute.points += method === 'GET' || method === 'HEAD' ? 1 : 5;
    const headers = {
      'x-ratelimit-limit': String(anHour),
      'x-ratelimit-remaining': String(Math.max(0, anHour - this.#hour.used)),
      'x-ratelimit-reset': String(Math.ceil((this.#hour.began + HOUR_MS) / 1000)),
    };
    if (this.#hour.used > anHour) throw new Refusal(403, 'API rate limit exceeded for installation ID 1.', headers);
    if (this.#minute.points > pointsAMinute) {
      const wait: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
      throw new Refusal(secondaryStatus, SECONDARY, { ...headers, ...wait });
    }
    return headers;
  }
}
