import type { IncomingHttpHeaders } from 'node:http';

export interface AskedExchange {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders | Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A service that exchanges ID tokens for passwords of a registry. */
export interface Exchanges {
  /** Undefined for what the service does not know. */
  answer(asked: AskedExchange): Reply | undefined;
  /** Whether a login at the registry is one that was given out. */
  isGood(username: string, password: string): boolean;
  /** How many logins were given out. */
  issued(): number;
}

/** `fetch` for tests of one service: its hosts are the emulator, loopback is itself, and there is no other world. */
export const fetchFrom =
  (services: readonly Exchanges[], asked: string[] = []): typeof globalThis.fetch =>
  async (input, init = {}) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (url.hostname === '127.0.0.1') return fetch(request);
    asked.push(`${request.method} ${url.host}${url.pathname}`);
    const headers = Object.fromEntries(request.headers);
    const body = await request.text();
    for (const service of services) {
      const reply = service.answer({ method: request.method, host: url.host, path: url.pathname, headers, body });
      if (reply) return Response.json(reply.body, { status: reply.status, headers: reply.headers ?? {} });
    }
    return Response.json({ message: `no emulator answers ${request.method} ${url}` }, { status: 404 });
  };
