import { codesOf } from '../core/network-error.ts';

/** A request as AWS's clients make it, as far as it is used here (`@smithy/types`, HttpRequest). */
interface SdkRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`);
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value ?? ''].flat()) url.searchParams.append(name, one);
  }
  return url;
}

/** Under the class that the clients give to bodies, which warns whoever takes them for text. */
function bytesOf(body: unknown): Uint8Array<ArrayBuffer> | null {
  if (typeof body === 'string') return Buffer.from(body);
  return body instanceof Uint8Array ? new Uint8Array(body) : null;
}

/** Milliseconds that AWS may take to answer. */
const TIMEOUT = 60_000;

/** Connections that ended before the answer came; those that were never made are not tried again. */
const CUT = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

const isCut = (error: unknown): boolean => codesOf(error).some((code) => CUT.has(code));

/** By what AWS's clients know that trying again may help: of what `fetch` throws they know nothing (`@smithy/service-error-classification`). */
const RETRIED = { name: 'TimeoutError', $retryable: {} } as const;

/**
 * What AWS's clients send by: the program's own `fetch`, which knows its proxies and certificates. Their own handler knows
 * neither.
 */
export const createRequestHandler = (fetch: typeof globalThis.fetch, signal?: AbortSignal) => ({
  handle: async (request: SdkRequest) => {
    const limit = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(urlOf(request), {
      method: request.method,
      headers: { ...request.headers },
      body: bytesOf(request.body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    }).catch((error: unknown) => {
      throw isCut(error) ? Object.assign(new Error('the connection was cut', { cause: error }), RETRIED) : error;
    });
    return {
      response: {
        statusCode: response.status,
        reason: response.statusText,
        headers: Object.fromEntries(response.headers),
        body: new Uint8Array(await response.arrayBuffer()),
      },
    };
  },
  updateHttpClientConfig: (): void => undefined,
  httpHandlerConfigs: () => ({}),
});
