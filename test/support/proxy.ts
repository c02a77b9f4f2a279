import { createServer, request as forward, type Server } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ProxyOptions {
  /** `USER:PASSWORD` that clients must have. */
  readonly login?: string;
  /** The loopback port behind a port and host that clients name. Default: that port itself. */
  readonly portOf?: (port: number, host: string) => number;
  /** Speaks TLS to its clients. */
  readonly tls?: ServerOptions;
  /** Answers so to whatever it is asked for, in plain http with Squid's header. */
  readonly refuses?: { readonly status: number; readonly reason: string };
  /** Takes requests for tunnels and never answers. */
  readonly isSilent?: boolean;
}

export interface RunningProxy extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** `METHOD TARGET` of each request, as the proxy was asked. */
  readonly requests: readonly string[];
}

/** A forward proxy whose world is this machine: whatever host is asked for lies on loopback. */
export const startProxy = async (options: ProxyOptions = {}): Promise<RunningProxy> => {
  const { login, portOf = (port) => port, tls, refuses, isSilent } = options;
  const requests: string[] = [];
  const wanted = login && `Basic ${Buffer.from(login).toString('base64')}`;
  const server: Server = tls ? createSecureServer(tls) : createServer();
  server.on('request', (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { 'proxy-authorization': shown, ...headers } = request.headers;
    if (wanted && shown !== wanted) {
      response.writeHead(407).end('who are you?');
      return;
    }
    if (refuses) {
      response.writeHead(refuses.status, { 'x-squid-error': `${refuses.reason} 0` }).end('<html>no</html>');
      return;
    }
    const { hostname, port, pathname, search } = new URL(request.url ?? '');
    const target = { host: '127.0.0.1', port: portOf(Number(port || 80), hostname), path: pathname + search };
    const onward = forward({ ...target, method: request.method ?? '', headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, client) => {
    requests.push(`CONNECT ${request.url}`);
    client.on('error', () => client.destroy());
    if (isSilent) return;
    if (wanted && request.headers['proxy-authorization'] !== wanted) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    if (refuses) {
      client.end(`HTTP/1.1 ${refuses.status} No\r\nX-Squid-Error: ${refuses.reason} 0\r\n\r\n`);
      return;
    }
    const [asked = '', name = ''] = (request.url ?? '').split(/:(?=\d+$)/).reverse();
    const port = portOf(Number(asked), name);
    const target = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  });
  // Tunnels are not the server's any more, so it would wait for them.
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, requests, [Symbol.asyncDispose]: stop };
};
