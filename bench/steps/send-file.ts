import { once } from 'node:events';
import { statSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { readBlocks } from './blocks.ts';

/** Sends a blob whose file has its digest's name to a repository (`HOST:PORT/NAME`): one POST and one PUT. */
export async function sendFile(repository: string, file: string): Promise<void> {
  const [host = '', ...name] = repository.split('/');
  const open = request(`http://${host}/v2/${name.join('/')}/blobs/uploads/`, { method: 'POST' });
  open.end();
  const opened = await answer(open, 202);
  const place = new URL(opened.headers.location ?? '', `http://${host}`);
  place.searchParams.set('digest', `sha256:${basename(file)}`);
  const put = request(place, { method: 'PUT', headers: { 'content-length': statSync(file).size } });
  const [response] = await Promise.all([answer(put, 201), pipeline(readBlocks(file), put)]);
  response.resume();
}

async function answer(sent: ClientRequest, expected: number): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  if (response.statusCode !== expected) throw new Error(`${sent.method} ${sent.path}: ${response.statusCode}`);
  return response;
}
