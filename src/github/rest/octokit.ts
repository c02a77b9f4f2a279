import type { Octokit as OctokitCore } from '@octokit/core';
import type { Effects } from '../../core/effects.ts';
import { followed } from './follow.ts';

/** What asking GitHub takes. */
export interface GitHubApi {
  /** `https://api.github.com`, or a GitHub Enterprise Server's `…/api/v3`. */
  readonly url: string;
  readonly token: string;
  readonly fetch: Effects['fetch'];
  readonly log: Effects['log'];
  readonly signal: AbortSignal;
  /** Seconds that limits of GitHub may keep a job waiting, all together. Default: 120. */
  readonly patience?: number;
  /** Milliseconds in a second of waiting, for tests. Default: 1000. */
  readonly second?: number;
}

const PATIENCE = 120;

/** What trying again does not mend; 429 is the business of the other plugin, which waits as long as GitHub says. */
const FINAL = [400, 401, 403, 404, 410, 422, 429, 451];

/** In place of the plugin's queues, whose seconds between changes are fixed, where tests make seconds short. */
const UNSPACED = { key: () => ({ schedule: async (): Promise<void> => undefined }) } as never;

/** As GitHub wants it: who asks. */
const USER_AGENT = 'nix-images';

/**
 * GitHub's client. Broken connections and errors of the service are tried three times again, after 1, 4 and 9 s; requests that
 * change something go one a second; limits are waited for as `retry-after` and `x-ratelimit-reset` say, a minute where they are
 * silent, as long as `patience` lasts. It is loaded here, since few commands ask GitHub.
 */
export async function openOctokit({
  url,
  token,
  fetch,
  log,
  signal,
  patience = PATIENCE,
  second = 1000,
}: GitHubApi): Promise<OctokitCore> {
  const [{ Octokit }, { retry }, { throttling }] = await Promise.all([
    import('@octokit/core'),
    import('@octokit/plugin-retry'),
    import('@octokit/plugin-throttling'),
  ]);
  let left = patience;
  const mayWait = (what: string, seconds: number): boolean => {
    const isWorthIt = seconds <= left && !signal.aborted;
    log.info(`GitHub limits requests (${what}); ${isWorthIt ? `waiting ${seconds} s` : `not waiting ${seconds} s`}`);
    if (isWorthIt) left -= seconds;
    return isWorthIt;
  };
  const Client = Octokit.plugin(retry, throttling);
  const octokit = new Client({
    auth: token,
    baseUrl: url,
    userAgent: USER_AGENT,
    request: { fetch: followed(fetch), signal },
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: (text: string) => log.debug(text),
      error: (text: string) => log.debug(text),
    },
    retry: { retryAfterBaseValue: second, doNotRetry: FINAL },
    throttle: {
      retryAfterBaseValue: second,
      ...(second < 1000 ? { write: UNSPACED, notifications: UNSPACED } : {}),
      onRateLimit: (seconds: number) => mayWait("an hour's number of them", seconds),
      onSecondaryRateLimit: (seconds: number) => mayWait('too many at once', seconds),
    },
  });
  // Added last, so it is around the plugins, whose waits know no signal.
  octokit.hook.wrap('request', (request, options) => Promise.race([request(options), aborted(signal)]));
  return octokit;
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
