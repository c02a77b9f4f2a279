import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * EC2's instance metadata service, version 2 alone, as its user guide describes it, with what people report of it.
 */
export interface MetadataOptions {
  /** Paths below /latest/meta-data; others are 404. */
  readonly values: Readonly<Record<string, string>>;
  /** Answers tokens with 403, as an instance whose HttpEndpoint is disabled. */
  readonly isOff?: boolean;
  /** Tokens that are given and then refused with 401, as right after the start (nixpkgs issue 542874, NixOS/amis issue 137). */
  readonly refusedTokens?: number;
  /** Requests for values that fail with 503 before one succeeds. */
  readonly unavailable?: number;
}

export interface MetadataService extends AsyncDisposable {
  readonly endpoint: string;
  /** Method, path and status of each request. */
  readonly requests: readonly string[];
  /** Tokens that were given. */
  readonly tokens: readonly string[];
}

export async function serveMetadata(options: MetadataOptions): Promise<MetadataService> {
  const requests: string[] = [];
  const tokens: string[] = [];
  let unavailable = options.unavailable ?? 0;
  const answerTo = (method: string, path: string, headers: NodeJS.Dict<string | string[]>): [number, string] => {
    if (path === '/latest/api/token') {
      if (options.isOff) return [403, ''];
      if (method !== 'PUT') return [405, ''];
      if (!/^\d+$/.test(String(headers['x-aws-ec2-metadata-token-ttl-seconds']))) return [400, ''];
      tokens.push(`token-${tokens.length}==`);
      return [200, tokens.at(-1) ?? ''];
    }
    const at = tokens.indexOf(String(headers['x-aws-ec2-metadata-token']));
    if (at < (options.refusedTokens ?? 0)) return [401, 'Unauthorized'];
    if (unavailable-- > 0) return [503, ''];
    const value = options.values[path.replace('/latest/meta-data/', '')];
    return value === undefined ? [404, '<html>Not Found</html>'] : [200, value];
  };
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const [status, body] = answerTo(method, url, headers);
    requests.push(`${method} ${url} ${status}`);
    response.writeHead(status).end(body);
  });
  await new Promise<void>((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  const close = (): Promise<void> =>
    new Promise((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  const { port } = server.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}`, requests, tokens, [Symbol.asyncDispose]: close };
}
