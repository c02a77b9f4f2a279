import { subscribe } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';

/** The header by which the storage client asks for a part of an entry. */
const RANGE = 'x-ms-range';

/** The status of an answer with a part (RFC 9110, section 15.3.7). */
const PARTIAL = 206;

interface PartsWatcher {
  /** Called before the first is asked for; nothing is sent until it returns. */
  before(): void;
  /** Called when the last byte is here; never where a part came in pieces, for a connection ended. */
  after(): void;
}

/** Watches this process read an entry of `bytes` by the storage client, in parts and several at once. Node tells of each request by itself. */
export function watchParts(bytes: number, { before, after }: PartsWatcher): void {
  let hasBegun = false;
  let left = bytes;
  subscribe('http.client.request.created', (message) => {
    const { request } = message as { readonly request: ClientRequest };
    if (hasBegun || !request.hasHeader(RANGE)) return;
    hasBegun = true;
    before();
  });
  subscribe('http.client.response.finish', (message) => {
    const { request, response } = message as { readonly request: ClientRequest; readonly response: IncomingMessage };
    if (!request.hasHeader(RANGE) || response.statusCode !== PARTIAL) return;
    response.once('end', () => {
      left -= Number(response.headers['content-length']);
      if (left === 0) after();
    });
  });
}
