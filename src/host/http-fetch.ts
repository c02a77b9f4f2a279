import { type ClientRequest, request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { systemCode } from '../core/file-error.ts';
import { isUntrusted } from '../core/network-error.ts';
import type { Connections, Route } from './connections.ts';
import { redactProxy } from './proxy.ts';

type Fetch = typeof globalThis.fetch;

/** Statuses whose answer has no body, not even an empty one, for `Response`. */
const WITHOUT_BODY = [101, 204, 205, 304];

/** What a proxy answers that wants to know who asks (RFC 9110, 15.5.8). */
const PROXY_AUTHENTICATION = 407;

/** The header by which Squid says that an answer is its own. */
const SQUID = 'x-squid-error';

/** What may be the body of a request here. */
type Content = AsyncIterable<Uint8Array> | string | Uint8Array | undefined;

/**
 * `fetch` over `node:http`, which goes through proxies, trusts what the machine trusts, and does not copy what it sends:
 * Node's own copies a body three times on its way to the socket, which was a fifth of the CPU of a cold push, and half of its
 * memory. A piece of a body may change again when the next one is asked for. Redirects are never followed.
 */
export const createFetch =
  (connections: Connections): Fetch =>
  async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const content = contentOf(init.body);
    const route = await connections.route(url);
    for (;;) {
      const { signal } = init;
      signal?.throwIfAborted();
      const request = open(url, init, route);
      try {
        return refusedByProxy(asResponse(await exchange(request, content, signal), init.method), route);
      } catch (error) {
        // The server ended a connection that was kept open while the request was on its way: it was not looked at.
        if (request.reusedSocket && content === undefined && systemCode(error) === 'ECONNRESET') continue;
        throw signal?.aborted
          ? signal.reason
          : new TypeError('fetch failed', { cause: withProxy(withTrust(error, route), route) });
      }
    }
  };

function contentOf(body: RequestInit['body']): Content {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string' || body instanceof Uint8Array || isPieces(body)) return body;
  throw new TypeError('a body is text, bytes, or pieces of bytes');
}

const isPieces = (body: unknown): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && body !== null && Symbol.asyncIterator in body;

const open = (url: URL, { method = 'GET', headers, signal }: RequestInit, { agent }: Route): ClientRequest =>
  (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method,
    agent,
    headers: Object.fromEntries(new Headers(headers)),
    ...(signal ? { signal } : {}),
  });

/** Sends the request; resolves with the answer's head. */
const exchange = (
  request: ClientRequest,
  content: Content,
  signal: AbortSignal | null | undefined,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    // A request that still waits for its connection does not tell that it was stopped.
    const stop = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    request.on('close', () => signal?.removeEventListener('abort', stop));
    request.on('error', reject);
    // It may come before all is sent: a registry that refuses does not wait for the rest.
    request.on('response', resolve);
    if (isPieces(content)) writeAll(content, request).catch((error: unknown) => request.destroy(asError(error)));
    else request.end(content);
  });

async function writeAll(body: AsyncIterable<Uint8Array>, request: ClientRequest): Promise<void> {
  for await (const piece of body) {
    await written(piece, request);
    if (request.destroyed) return;
  }
  request.end();
}

/** Resolves when the system has taken the piece, or when nothing will be sent any more. */
const written = (piece: Uint8Array, request: ClientRequest): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      request.off('close', done);
      resolve();
    };
    request.on('close', done);
    request.write(piece, done);
  });

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

/** Says by what a certificate was judged that nobody vouches for. */
function withTrust(error: unknown, { trust }: Route): Error {
  if (trust === undefined || !isUntrusted(error)) return asError(error);
  const code = systemCode(error);
  return Object.assign(new Error(`${asError(error).message} (looked at: ${trust.join('; ')})`), code ? { code } : {});
}

/** Names the proxy of a request that failed; the proxy may be what could not be reached. */
function withProxy(error: Error, { proxy }: Route): Error {
  if (proxy === undefined) return error;
  const isTunnel = systemCode(error) === 'ERR_PROXY_TUNNEL';
  const status = isTunnel ? Number(/ ([1-5]\d\d) /.exec(error.message)?.[1]) : undefined;
  const code = status === undefined ? systemCode(error) : refusalCode(status);
  // Without a cause: its message would be taken for the whole of what happened.
  return Object.assign(new Error(`through the proxy ${redactProxy(proxy)}: ${error.message}`), code ? { code } : {});
}

/** What a proxy's own answer means: it wants to know who asks, does not let this through, or could not reach the server. */
function refusalCode(status: number): string {
  if (status === PROXY_AUTHENTICATION) return 'ERR_PROXY_LOGIN';
  return status >= 400 && status < 500 ? 'ERR_PROXY_REFUSED' : 'ERR_PROXY_TUNNEL';
}

/** Plain http has no tunnel: what a proxy answers by itself comes instead of the registry's answer. Squid marks that. */
function refusedByProxy(response: Response, { proxy }: Route): Response {
  const { status, headers } = response;
  const isOwn = status === PROXY_AUTHENTICATION || (status >= 400 && status < 500 && headers.has(SQUID));
  if (proxy === undefined || !isOwn) return response;
  response.body?.cancel().catch(() => undefined);
  const reason = shownReason(headers.get(SQUID)) ?? STATUS_CODES[status] ?? '';
  throw Object.assign(new Error(`it answered ${status} (${reason})`), { code: refusalCode(status) });
}

/** Squid's name for what happened, such as ERR_ACCESS_DENIED. */
const shownReason = (header: string | null): string | undefined => /^[A-Z_]{1,40}/.exec(header ?? '')?.[0];

function asResponse(message: IncomingMessage, method: string | undefined): Response {
  const status = message.statusCode ?? 0;
  const headers = new Headers();
  for (let at = 0; at < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? '', message.rawHeaders[at + 1] ?? '');
  }
  const init = { status, statusText: message.statusMessage ?? '', headers };
  if (method !== 'HEAD' && !WITHOUT_BODY.includes(status))
    return new Response(Readable.toWeb(message) as ReadableStream<Uint8Array>, init);
  message.resume();
  return new Response(null, init);
}
