import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createSocketServer, type Server, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import type { ExpectedPort } from '../../../src/definition/image-tests.ts';
import { askPort } from '../../../src/test-run/ask-port.ts';
import { freePort } from '../../support/tools.ts';

const tcp: ExpectedPort = { number: 80, path: null, status: 200, text: null };
const http: ExpectedPort = { number: 80, path: '/health', status: 200, text: { contains: 'ok' } };

/** A server on a free loopback port, which is closed with its connections at the end. */
async function serve(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((closed) => server.close(() => closed()));
  };
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, [Symbol.asyncDispose]: close };
}

const ask = (port: ExpectedPort, at: number, signal = AbortSignal.timeout(20_000)) =>
  askPort(port, at, { fetch, clock: systemClock }, signal);

const answering = (listener: RequestListener) => serve(createHttpServer(listener));

/** Enough attempts, and no wait for what never comes. */
const soon = (): AbortSignal => AbortSignal.timeout(1500);

describe('by TCP', () => {
  test('a connection that stays open, or says something, is an answer', async () => {
    await using silent = await serve(createSocketServer());
    expect(await ask(tcp, silent.port)).toBeUndefined();
    await using greets = await serve(createSocketServer((socket) => socket.end('SSH-2.0\r\n')));
    expect(await ask(tcp, greets.port)).toBeUndefined();
  });

  test('one that is closed at once is none: a container program accepts it where nobody listens', async () => {
    await using closes = await serve(createSocketServer((socket) => socket.end()));
    expect(await ask(tcp, closes.port, soon())).toEqual({
      expected: 'port 80 to take a connection',
      got: 'a connection that was closed at once',
    });
  });

  test('one that something between has taken alone is none, until it has reached its end', async () => {
    await using silent = await serve(createSocketServer());
    const asked: number[] = [];
    const isTaken = async (): Promise<boolean> => asked.push(1) > 1;
    const tools = { fetch, clock: systemClock, isTaken };
    expect(await askPort(tcp, silent.port, tools, AbortSignal.timeout(20_000))).toBeUndefined();
    expect(asked).toHaveLength(2);
    const never = { ...tools, isTaken: async () => false };
    expect((await askPort(tcp, silent.port, never, AbortSignal.timeout(700)))?.got).toBe('no answer');
  });

  test('nobody there', async () => {
    const got = (await ask(tcp, await freePort(), soon()))?.got;
    expect(got).toMatch(/^no answer \(connect ECONNREFUSED/);
  });
});

describe('by HTTP', () => {
  test('the stated answer', async () => {
    await using server = await answering((request, response) => response.end(`${request.url} is ok`));
    expect(await ask(http, server.port)).toBeUndefined();
  });

  test('an answer of more than 1 MiB has a status, but no text that is looked at', async () => {
    await using server = await answering((_request, response) => response.end(Buffer.alloc(1024 * 1024 + 1, 'x')));
    expect(await ask({ ...http, text: null }, server.port)).toBeUndefined();
    expect(await ask(http, server.port)).toEqual({
      expected: expect.stringContaining('and at most 1048576 bytes, to look at its text'),
      got: 'more than that, with status 200',
    });
  });

  test('a port that HTTP clients refuse is no reason to wait', async () => {
    expect((await ask(http, 6667))?.got).toBe(
      'no answer (HTTP clients refuse this port because it belongs to another protocol)',
    );
  });

  test('is asked again while the server starts', async () => {
    let asked = 0;
    await using server = await answering((_request, response) => {
      asked += 1;
      response.writeHead(asked < 3 ? 503 : 200).end('ok');
    });
    expect(await ask(http, server.port)).toBeUndefined();
    expect(asked).toBe(3);
  });

  test.each<[string, RequestListener, string, string]>([
    [
      'another status',
      (_request, response) => response.writeHead(404).end(),
      'port 80 to answer GET /health with status 200',
      'status 404',
    ],
    [
      'a redirection, which is not followed',
      (_request, response) => response.writeHead(302, { location: 'http://192.0.2.1/' }).end(),
      'port 80 to answer GET /health with status 200',
      'status 302',
    ],
    [
      'another text',
      (_request, response) => response.end('starting'),
      'answer that contains "ok"',
      'answer "starting"',
    ],
  ])('%s ends it at once', async (_name, listener, expected, got) => {
    let asked = 0;
    await using server = await answering((request, response) => {
      asked += 1;
      listener(request, response);
    });
    expect(await ask(http, server.port)).toEqual({ expected, got });
    expect(asked).toBe(1);
  });

  test('an answer that never ends', async () => {
    await using server = await answering((_request, response) => void response.write('o'));
    expect((await ask(http, server.port, soon()))?.got).toMatch(/^no answer/);
  });

  test('an answer without bounds is not kept', async () => {
    await using server = await answering((_request, response) => response.end(Buffer.alloc(4 << 20)));
    expect((await ask(http, server.port, soon()))?.got).toBe('more than that, with status 200');
  });
});
