import { cancelled } from '../../../core/error.ts';
import type { Send } from '../send.ts';
import { sending } from './streamed-body.ts';
import type { Fetch } from './with-log.ts';

/**
 * Sends by `fetch`, and gives up a connection that takes too long: `timeout` milliseconds for the reply's headers, and more
 * by the size of the body. Redirects are not followed. Throws what `fetch` throws, and UserError `cancelled`.
 */
export const withTimeout =
  (fetch: Fetch, timeout: number, signal?: AbortSignal): Send =>
  async ({ method, url, headers, body, stop }) => {
    if (signal?.aborted) throw cancelled(signal.reason);
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
      return { response, method, url };
    } finally {
      end();
    }
  };
