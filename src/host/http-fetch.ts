import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable } from 'node:stream';
import { systemCode } from '../core/file-error.ts';
import type { Connections, Route } from './connections.ts';
import { redactProxy } from './proxy.ts';

type Fetch = typeof globalThis.fetch;

/** Statuses whose answer has no body, not even an empty one, for `Response`. */
const WITHOUT_BODY = [101, 204, 205, 304];

/** What a proxy answers that wants to know who asks (RFC 9110, 15.5.8). */
const PROXY_AUTHENTICATION = 407;

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
        throw signal?.aborted ? signal.reason : new TypeError('fetch failed', { cause: withProxy(error, route) });
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

/** Names the proxy of a request that failed; the proxy may be what could not be reached. */
function withProxy(error: unknown, { proxy }: Route): Error {
  const { message } = asError(error);
  if (proxy === undefined) return asError(error);
  const isLogin = systemCode(error) === 'ERR_PROXY_TUNNEL' && message.includes(` ${PROXY_AUTHENTICATION} `);
  const code = isLogin ? 'ERR_PROXY_LOGIN' : systemCode(error);
  // Without a cause: its message would be taken for the whole of what happened.
  return Object.assign(new Error(`through the proxy ${redactProxy(proxy)}: ${message}`), code ? { code } : {});
}

function refusedByProxy(response: Response, { proxy }: Route): Response {
  if (proxy === undefined || response.status !== PROXY_AUTHENTICATION) return response;
  response.body?.cancel().catch(() => undefined);
  throw Object.assign(new Error(`it answered ${PROXY_AUTHENTICATION} (proxy authentication required)`), {
    code: 'ERR_PROXY_TUNNEL',
  });
}

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
