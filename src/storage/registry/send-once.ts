import type { Body } from '../../core/body.ts';
import { cancelled } from '../../core/error.ts';
import type { Log } from '../../core/log.ts';
import type { Clock, RetryPolicy } from '../../core/retry.ts';
import type { Hosts } from './hosts.ts';
import { type StreamedBody, sending } from './streamed-body.ts';

export type Fetch = typeof globalThis.fetch;

/** What a request needs of the process. */
export interface SendOptions {
  readonly fetch: Fetch;
  readonly log: Log;
  /** Shared by all of the process. */
  readonly hosts: Hosts;
  readonly clock: Clock;
  readonly retry: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for the connection and the reply's headers (requests with a body get more by its size), and between bytes. */
  readonly timeout: number;
}

/** One request on the line: its headers are complete but for those that every request has. */
export interface OnceRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Body | StreamedBody | undefined;
  /** Ends the request. */
  readonly stop?: AbortSignal | undefined;
}

/**
 * Sends one request, in its turn of the host's budget, and gives the reply once its headers are there; any status is a
 * reply, and redirects are not followed. Throws what `fetch` throws, and UserError `cancelled`.
 */
export async function sendOnce(
  { url, method, headers, body, stop }: OnceRequest,
  { signal, timeout, fetch, hosts, clock, retry, log }: SendOptions,
): Promise<Response> {
  if (signal?.aborted) throw cancelled(signal.reason);
  const budget = hosts.budget(url.host);
  await budget.turn(signal);
  const sentAt = clock.now();
  const deadline = new AbortController();
  const signals = [deadline.signal, signal, stop].filter((each) => each !== undefined);
  const { pieces, end } = sending(body, timeout, (error) => deadline.abort(error));
  try {
    const response = await fetch(url, {
      method,
      // Without this the client would ask for compressed replies and unpack them before we can check their digest.
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'nix-images',
        ...headers,
        ...(body && 'length' in body ? { 'content-length': String(body.length) } : {}),
      },
      redirect: 'manual',
      signal: AbortSignal.any(signals),
      ...(pieces === undefined ? {} : { body: pieces, duplex: 'half' as const }),
    });
    budget.heed(response, { sentAt, policy: retry, log });
    return response;
  } finally {
    end();
  }
}
