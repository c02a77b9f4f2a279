import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { streamAnswer } from '../../../src/serve/answer.ts';
import { listenFor } from '../../../src/serve/http-server.ts';
import { memoryLog } from '../../support/memory-log.ts';

type Respond = Parameters<typeof listenFor>[1];

async function start(respond: Respond, address = '127.0.0.1', patience?: number) {
  const log = memoryLog();
  const server = await listenFor({ address, port: 0 }, respond, log, patience);
  onTestFinished(() => server.close());
  return { ...server, log };
}

/** An answer of `count` blocks, of which what was made and given back is counted. */
function blocks(count: number) {
  const counts = { made: 0, released: 0, ended: false };
  function* chunks(): Generator<Uint8Array> {
    try {
      for (; counts.made < count; counts.made++) yield Buffer.alloc(256 * 1024, counts.made);
    } finally {
      counts.ended = true;
    }
  }
  const headers = { 'content-length': String(count * 256 * 1024) };
  return { counts, answer: () => streamAnswer(200, headers, { chunks: chunks(), release: () => counts.released++ }) };
}

test('a stream arrives whole, and each block is given back', async () => {
  const { counts, answer } = blocks(20);
  const { host } = await start(async () => answer());
  const bytes = Buffer.from(await (await fetch(`http://${host}/`)).arrayBuffer());
  expect(bytes.length).toBe(20 * 256 * 1024);
  expect(bytes.every((byte, at) => byte === Math.floor(at / (256 * 1024)))).toBe(true);
  expect(counts).toEqual({ made: 20, released: 20, ended: true });
});

test('who reads slowly is waited for, and who goes away ends what is made', async () => {
  const { counts, answer } = blocks(10_000);
  const { host } = await start(async () => answer());
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'readable');
  await setTimeout(100);
  // What the kernel keeps for a connection is some megabytes.
  expect(counts.made).toBeLessThan(200);
  socket.destroy();
  while (!counts.ended) await setTimeout(10);
  expect(counts.made).toBeLessThan(200);
});

test('who asks for several blobs at once and goes away ends those, too, whose turn had not come', async () => {
  const [first, second] = [blocks(10_000), blocks(10_000)];
  const late = { begun: false, ended: false };
  const gone = Promise.withResolvers<void>();
  async function* waiting() {
    try {
      late.begun = true;
      await gone.promise;
      yield* [Buffer.of(1), Buffer.of(2)];
    } finally {
      late.ended = true;
    }
  }
  const answers = [
    first.answer,
    second.answer,
    () => streamAnswer(200, { 'content-length': '2' }, { chunks: waiting() }),
  ];
  const { host } = await start(async () => answers.shift()?.() ?? expect.unreachable());
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(answers.length));
  await once(socket, 'readable');
  while (!late.begun) await setTimeout(10);
  socket.destroy();
  while (!first.counts.ended || !second.counts.ended) await setTimeout(10);
  gone.resolve();
  while (!late.ended) await setTimeout(10);
});

test('who reads nothing for a while is disconnected, and who waits for what is made is not', async () => {
  const { counts, answer } = blocks(10_000);
  const { host, log } = await start(async () => answer(), undefined, 50);
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write('GET /v2/app/blobs/x HTTP/1.1\r\nhost: x\r\nuser-agent: containerd/1.7\r\n\r\n');
  while (!counts.ended) await setTimeout(10);
  expect(counts.made).toBeLessThan(200);
  expect(log.lines).toContain('containerd/1.7 has read nothing of /v2/app/blobs/x for 0.1 s: its connection is closed');
  socket.destroy();
  // More than the kernel takes at once, so that the next block has to wait for it.
  const large = Buffer.alloc(16 * 1024 * 1024);
  async function* slow() {
    await setTimeout(120);
    yield* [large, Buffer.of(1)];
    await setTimeout(120);
    yield Buffer.of(2);
  }
  const headers = { 'content-length': String(large.length + 2) };
  const patient = await start(async () => streamAnswer(200, headers, { chunks: slow() }), undefined, 50);
  const bytes = new Uint8Array(await (await fetch(`http://${patient.host}/`)).arrayBuffer());
  expect([...bytes.subarray(large.length)]).toEqual([1, 2]);
});

test('a TLS handshake is answered in words by which clients know that there is none', async () => {
  const { host } = await start(async () => streamAnswer(200, {}, undefined));
  const socket = connect(Number(host.split(':')[1]), '127.0.0.1');
  socket.write(Buffer.from('16030100c8010000c40303', 'hex'));
  const [bytes] = await once(socket, 'data');
  expect(String(bytes)).toMatch(/^HTTP\/1\.1 400 /);
});

test('a bug is an answer without a body, and the server goes on', async () => {
  let calls = 0;
  const { host } = await start(async () => {
    calls += 1;
    if (calls === 1) throw new TypeError('a bug');
    return streamAnswer(204, {}, undefined);
  });
  expect((await fetch(`http://${host}/`)).status).toBe(500);
  expect((await fetch(`http://${host}/`)).status).toBe(204);
});

test('an address of IPv6 stands in brackets', async () => {
  const { host } = await start(async () => streamAnswer(204, {}, undefined), '::1');
  expect(host).toMatch(/^\[::1\]:\d+$/);
});

test('a port in use, and an address of another machine', async () => {
  const { host } = await start(async () => streamAnswer(204, {}, undefined));
  const port = Number(host.split(':')[1]);
  const listen = (address: string, at: number) =>
    listenFor({ address, port: at }, async () => streamAnswer(204, {}, undefined), memoryLog());
  await expect(listen('127.0.0.1', port)).rejects.toThrow(
    `cannot listen on 127.0.0.1, port ${port}: the port is in use`,
  );
  await expect(listen('192.0.2.1', 0)).rejects.toThrow('cannot listen on 192.0.2.1, port 0: EADDRNOTAVAIL');
});
