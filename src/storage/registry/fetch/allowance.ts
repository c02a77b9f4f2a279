import type { Log } from '../../../core/log.ts';
import { registryName } from '../endpoint.ts';

/** The part of an allowance below which it is told, one in so many: soon enough to log in before a run ends by it. */
const LAST = 10;

const SECONDS_OF_HOUR = 3600;

/** `76;w=21600`: so many in a window of so many seconds (IETF's draft of RateLimit headers, as Docker Hub writes them). */
function parse(header: string | null): { readonly count: number; readonly window: number } | undefined {
  const [, count, window] = /^(\d{1,9})(?:;w=(\d{1,9}))?$/.exec(header?.trim() ?? '') ?? [];
  return count === undefined ? undefined : { count: Number(count), window: Number(window ?? 0) };
}

/** What a host still allows, as its answers say (Docker Hub: pulls, which are GETs of manifests). Told once, when it nears its end. */
export class Allowance {
  readonly #host: string;
  #isTold = false;

  constructor(host: string) {
    this.#host = host;
  }

  heed({ headers }: Pick<Response, 'headers'>, log: Log): void {
    const limit = parse(headers.get('ratelimit-limit'));
    const remaining = parse(headers.get('ratelimit-remaining'));
    if (this.#isTold || limit === undefined || remaining === undefined) return;
    if (remaining.count * LAST > limit.count) return;
    this.#isTold = true;
    const hours = limit.window >= SECONDS_OF_HOUR ? ` in ${Math.round(limit.window / SECONDS_OF_HOUR)} h` : '';
    log.warn(
      `${registryName(this.#host)} allows ${remaining.count} more pulls of ${limit.count}${hours}: log in to it, ` +
        'with an account that may pull more, or read images from a mirror',
    );
  }
}
