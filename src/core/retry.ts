import { cancelled } from './error.ts';
import type { Log } from './log.ts';

/** What waiting needs from the world; a test gives a clock of its own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`; rejects when the signal fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export interface RetryPolicy {
  /** Tries in all, the first included. */
  readonly attempts: number;
  /** Wait before the second try, in milliseconds; each further one doubles it. */
  readonly baseDelay: number;
  readonly maxDelay: number;
  /** A registry that asks to wait longer than this is given up, in milliseconds. */
  readonly maxRetryAfter: number;
  /** No new try starts later than this after the first one, in milliseconds. */
  readonly totalTime: number;
}

/**
 * Seven tries wait 0.5 + 1 + 2 + 4 + 8 + 16 = 31.5 s at most without Retry-After: longer than a registry's
 * restart behind a load balancer, shorter than a person's patience. Registries that limit requests by the minute ask for up to a minute, GitHub for some.
 */
export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 7,
  baseDelay: 500,
  maxDelay: 30_000,
  maxRetryAfter: 300_000,
  totalTime: 600_000,
};

const RETRIABLE = new Set([408, 429, 500, 502, 503, 504]);

/** Whether trying the same request again may help. */
export const isRetriableStatus = (status: number): boolean => RETRIABLE.has(status);

/**
 * Whether an answer says that there were too many requests: 429 (RFC 6585), and what names a time to come back (GitHub's
 * secondary limits are 403, load shedding is 503).
 */
export const isTooManyRequests = (status: number, retryAfter: number | undefined): boolean =>
  status === 429 || ((status === 403 || status === 503) && retryAfter !== undefined);

// Milliseconds of the units that Go prints durations in; GHCR says "retry-after: 10.305464ms".
const UNITS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['µs', 1e-3],
  ['us', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Go's `1m30.5s` in milliseconds; undefined when it is something else. */
function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ns|[uµμ]s|ms|s|m|h)){1,4}$/.test(text)) return undefined;
  return [...text.matchAll(/([\d.]+)([a-zµμ]+)/g)]
    .map(([, amount, unit = '']) => Number(amount) * (UNITS.get(unit.replace('μ', 'µ')) ?? 0))
    .reduce((sum, part) => sum + part, 0);
}

/**
 * Retry-After in milliseconds: seconds or a date (RFC 9110, 10.2.3), or a duration with its unit as registries written in Go
 * say it; undefined when absent or unreadable.
 */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const duration = parseDuration(text);
  if (duration !== undefined) return Math.ceil(duration);
  // Date.parse takes much that is not an HTTP date, such as "1.5"; those all start with a weekday.
  const date = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Milliseconds before try number `attempt` + 1: exponential, with jitter of up to one half so that clients spread. */
export function backoff(policy: RetryPolicy, attempt: number, random: number, retryAfter?: number): number {
  if (retryAfter !== undefined) return Math.min(retryAfter, policy.maxRetryAfter);
  const full = Math.min(policy.baseDelay * 2 ** (attempt - 1), policy.maxDelay);
  return Math.round(full / 2 + (full / 2) * random);
}

/** Waits; a signal that fires meanwhile ends it with UserError `cancelled`. */
export async function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    throw cancelled(error);
  }
}

/** One try's end: a value, or a reason to try again with the error that is thrown if there is no next try. */
export type Outcome<T> =
  | { readonly done: T }
  | {
      readonly retry: string;
      readonly retryAfter?: number | undefined;
      /** Whether the host's budget does the waiting, together with all other requests to the host. */
      readonly isPaused?: boolean;
      readonly error: () => Promise<Error> | Error;
    };

/** Repeats `attempt` until it is done or the policy is used up; the last try's error is thrown then. */
export async function repeat<T>(
  attempt: (number: number) => Promise<Outcome<T>>,
  { clock, log, policy, signal }: { clock: Clock; log: Log; policy: RetryPolicy; signal?: AbortSignal | undefined },
): Promise<T> {
  const start = clock.now();
  for (let number = 1; ; number += 1) {
    const outcome = await attempt(number);
    if ('done' in outcome) return outcome.done;
    const delay = outcome.isPaused ? 0 : backoff(policy, number, clock.random(), outcome.retryAfter);
    if (number >= policy.attempts || clock.now() - start + delay > policy.totalTime) throw await outcome.error();
    const when = outcome.isPaused ? 'after the pause' : `in ${(delay / 1000).toFixed(1)} s`;
    const text = `${outcome.retry}; trying again ${when} (${number + 1} of ${policy.attempts})`;
    if (outcome.isPaused) {
      log.debug(text);
      continue;
    }
    // The first wait is everyday life on a network; from the second on a person wonders what is going on.
    if (number === 1 && delay < 5_000) log.debug(text);
    else log.warn(text);
    await sleep(clock, delay, signal);
  }
}
