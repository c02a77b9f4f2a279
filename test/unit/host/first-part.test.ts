import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { beforeFirstPart } from '../../../src/host/first-part.ts';

test('the first part is told before it is asked for, once', async () => {
  const told: string[] = [];
  const server = createServer(({ headers }, response) => {
    told.push(`asked for ${headers['x-ms-range'] ?? 'nothing'}`);
    response.end('1234');
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
  beforeFirstPart(() => void told.push('before'));
  for (const part of [undefined, 'a', 'b']) await ask(part);
  expect(told).toEqual(['asked for nothing', 'before', 'asked for a', 'asked for b']);
});
