import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { watchParts } from '../../../src/host/entry-parts.ts';

test('the first part is told before it is asked for, and the last byte once all parts are here', async () => {
  const told: string[] = [];
  const server = createServer(({ headers }, response) => {
    const part = headers['x-ms-range'];
    told.push(`asked for ${part ?? 'nothing'}`);
    response.writeHead(part === 'busy' ? 503 : part ? 206 : 200, { 'content-length': 4 }).end('1234');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const ask = async (part?: string): Promise<void> => {
    const sent = request({ port, host: '127.0.0.1', ...(part && { headers: { 'x-ms-range': part } }) }).end();
    const [response] = await once(sent, 'response');
    await buffer(response);
  };
  watchParts(8, { before: () => void told.push('before'), after: () => void told.push('after') });
  // What is not a part does not count, and an answer that says to try later does not either.
  for (const part of [undefined, 'a', 'busy', 'b']) await ask(part);
  expect(told).toEqual(['asked for nothing', 'before', 'asked for a', 'asked for busy', 'asked for b', 'after']);
});
