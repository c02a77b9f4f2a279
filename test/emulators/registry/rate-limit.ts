import type { ServerResponse } from 'node:http';
import type { EmulatorOptions } from './emulator.ts';

const SECONDARY =
  'permission_denied: Error from intermediary with HTTP status code 403 "Forbidden" - with-body: {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}';

/** A fixed window of requests, with GHCR's words: chainguard-images/images issue 173. */
export class RateLimit {
  readonly #rate: NonNullable<EmulatorOptions['rate']>;
  #opened = Number.NEGATIVE_INFINITY;
  #count = 0;

  constructor(rate: NonNullable<EmulatorOptions['rate']>) {
    this.#rate = rate;
  }

  /** Whether a request was answered 429. */
  refuses(response: ServerResponse): boolean {
    const { requests, window, now } = this.#rate;
    if (now() >= this.#opened + window) [this.#opened, this.#count] = [now(), 0];
    this.#count += 1;
    if (this.#count <= requests) return false;
    if (this.#rate.isSecondary) {
      response.writeHead(403, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'DENIED', message: SECONDARY }] }));
      return true;
    }
    const wait = Math.ceil((this.#opened + window - now()) / 1000);
    const message = `retry-after: ${wait}s, allowed: ${requests}/${window / 1000}s`;
    response.writeHead(429, { 'retry-after': String(wait) });
    response.end(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message }] }));
    return true;
  }
}
