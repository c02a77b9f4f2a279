import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { UserError } from '../core/error.ts';
import { systemCode } from '../core/file-error.ts';
import type { Log } from '../core/log.ts';
import { truncate } from '../core/table.ts';
import { durationText } from '../core/time.ts';
import type { ByteStream, RegistryAnswer } from './answer.ts';
import type { Request } from './respond.ts';

/** Where a registry listens. */
export interface ListenOn {
  /** An IP address or a host's name. */
  readonly address: string;
  /** 0 for any that is free. */
  readonly port: number;
}

interface RegistryServer {
  /** As it stands in references: `127.0.0.1:5000`, `[::1]:5000`. */
  readonly host: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/**
 * Milliseconds in which a client reads nothing of what is sent until it is disconnected: it holds the tree of its layer. Longer than a disk that
 * flushes its cache keeps a client from reading.
 */
const PATIENCE = 120_000;

/** Characters of a client's name that are shown. */
const SHOWN_NAME = 60;

/** Answered to what is not HTTP, a TLS handshake above all: clients that try TLS first know by these words to go on without. */
const NOT_HTTP = 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n';

/** Starts to listen. Throws UserError `input` when the port is taken, or the address is not one of this machine. */
export async function listenFor(
  { address, port }: ListenOn,
  respond: (request: Request) => Promise<RegistryAnswer>,
  log: Log,
  patience = PATIENCE,
): Promise<RegistryServer> {
  // Node's limits are for requests alone: an image may take minutes to build before the first byte of its answer.
  const server = createServer((request, response) => {
    answer(request, response, respond, { log, patience }).catch((error: unknown) => {
      log.debug(`${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`);
      if (response.headersSent) response.destroy();
      else response.writeHead(500, { 'content-length': 0 }).end();
    });
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end(NOT_HTTP);
    else socket.destroy();
  });
  await listen(server, { address, port });
  const bound = server.address() as AddressInfo;
  return {
    host: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  respond: (request: Request) => Promise<RegistryAnswer>,
  { log, patience }: { readonly log: Log; readonly patience: number },
): Promise<void> {
  const { method = '', url = '', headers } = request;
  const { authorization, accept, range } = headers;
  const { status, headers: sent, body } = await respond({ method, target: url, authorization, accept, range });
  log.debug(`${method} ${url}: ${status}`);
  response.writeHead(status, sent);
  if (body === undefined || body instanceof Uint8Array) response.end(body);
  else {
    const onStalled = (): void => {
      const who = truncate(headers['user-agent'] ?? 'a client', SHOWN_NAME);
      log.warn(`${who} has read nothing of ${url} for ${durationText(patience)}: its connection is closed`);
    };
    await send(body, response, patience, onStalled);
  }
}

/** Sends chunk after chunk; the next one is made while the one before is on its way. */
async function send(
  { chunks, release = () => {} }: ByteStream,
  response: ServerResponse,
  patience: number,
  onStalled: () => void,
): Promise<void> {
  /** Ends the wait for the block that is on its way; of one that is written later Node says by itself that the client is gone. */
  let onGone = (): void => {};
  response.once('close', () => onGone());
  response.once('timeout', () => {
    onStalled();
    response.destroy();
  });
  let isOnItsWay = false;
  let sent: Promise<void> = Promise.resolve();
  const write = (chunk: Uint8Array): void => {
    isOnItsWay = true;
    sent = new Promise((resolve, reject) => {
      // A response whose turn has not come keeps the block for good. Not a race with one promise for all blocks, which would keep something of each.
      onGone = () => reject(new Error('the client went away'));
      response.write(chunk, (error) => {
        release(chunk);
        isOnItsWay = false;
        if (error) reject(error);
        else resolve();
      });
    });
    // Told of where it is awaited.
    sent.catch(() => undefined);
  };
  const taken = async (): Promise<void> => {
    // Only while bytes wait for the client: what makes them may take longer.
    if (isOnItsWay) response.setTimeout(patience);
    await sent;
    if (response.socket?.timeout) response.setTimeout(0);
  };
  // What clients wait for first: that it is there, and how large it is.
  response.flushHeaders();
  for await (const chunk of chunks) {
    await taken();
    // The kernel takes blocks at once from time to time, and nobody else would have a turn.
    await setImmediate();
    write(chunk);
  }
  await taken();
  response.end();
}

async function listen(server: Server, { address, port }: ListenOn): Promise<void> {
  server.listen(port, address);
  try {
    await once(server, 'listening');
  } catch (error) {
    const code = systemCode(error);
    const why = code === 'EADDRINUSE' ? 'the port is in use' : (code ?? 'unknown error');
    throw new UserError('input', `cannot listen on ${address}, port ${port}: ${why}`, {
      hint:
        code === 'EADDRINUSE'
          ? 'Choose another port with --port, or 0 for any that is free.'
          : 'Choose an address of this machine, such as 127.0.0.1, and a port that you may use.',
      docs: 'serve.md#serve',
      cause: error,
    });
  }
}
