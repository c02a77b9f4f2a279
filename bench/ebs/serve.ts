// node serve.ts: a strict server of the EBS direct APIs' writing half, for timing; prints its URL. It checks every block's length and SHA-256, and the count
// and checksum over all at the end, and keeps digests only. GET /counts says what came. Signatures are not looked at: tests do.
import { createHash, hash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const BLOCK = 524_288;

interface Written {
  readonly parent: string | undefined;
  readonly digests: Map<number, string>;
  isComplete: boolean;
}

const snapshots = new Map<string, Written>();
const counts: Record<string, number> = {};

class Refusal extends Error {}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return pieces.length === 1 ? (pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(pieces);
}

function pending(id: string): Written {
  const found = snapshots.get(id);
  if (!found || found.isComplete) throw new Refusal(`${id} is not pending`);
  return found;
}

function aggregate(digests: Map<number, string>): string {
  const all = createHash('sha256');
  for (const [, digest] of [...digests].sort(([a], [b]) => a - b)) all.update(Buffer.from(digest, 'base64'));
  return all.digest('base64');
}

/** Hashed while it comes, as the service would: nothing is held longer than a piece. */
async function put(request: IncomingMessage, id: string, block: number): Promise<object> {
  const { digests } = pending(id);
  const sum = createHash('sha256');
  let length = 0;
  for await (const piece of request) {
    sum.update(piece as Buffer);
    length += (piece as Buffer).length;
  }
  if (length !== BLOCK || request.headers['x-amz-data-length'] !== String(BLOCK)) throw new Refusal(`${length} bytes`);
  const digest = sum.digest('base64');
  if (digest !== request.headers['x-amz-checksum']) throw new Refusal('checksum');
  digests.set(block, digest);
  return {};
}

async function answer(request: IncomingMessage): Promise<readonly [name: string, body: object]> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  const block = /^\/snapshots\/(snap-[0-9a-f]+)\/blocks\/(\d+)$/.exec(pathname);
  if (request.method === 'PUT' && block)
    return ['PutSnapshotBlock', await put(request, block[1] ?? '', Number(block[2]))];
  if (request.method === 'POST' && pathname === '/snapshots') {
    const asked = JSON.parse((await bodyOf(request)).toString()) as { VolumeSize: number; ParentSnapshotId?: string };
    const id = `snap-${hash('sha256', String(snapshots.size)).slice(0, 17)}`;
    const parent = asked.ParentSnapshotId;
    snapshots.set(id, { parent, digests: new Map(), isComplete: false });
    const started = { SnapshotId: id, Status: 'pending', BlockSize: BLOCK, VolumeSize: asked.VolumeSize };
    return ['StartSnapshot', { ...started, StartTime: Date.now() / 1000, ...(parent && { ParentSnapshotId: parent }) }];
  }
  const end = /^\/snapshots\/completion\/(snap-[0-9a-f]+)$/.exec(pathname);
  if (request.method === 'POST' && end) {
    const snapshot = pending(end[1] ?? '');
    const { headers } = request;
    const { size } = snapshot.digests;
    if (headers['x-amz-changedblockscount'] !== String(size)) throw new Refusal(`${size} blocks`);
    const checksum = headers['x-amz-checksum'];
    if (checksum !== undefined && checksum !== aggregate(snapshot.digests)) throw new Refusal('checksum of all');
    snapshot.isComplete = true;
    return ['CompleteSnapshot', { Status: 'completed' }];
  }
  throw new Refusal(`${request.method} ${pathname}`);
}

function reply(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
}

const server = createServer(async (request, response) => {
  if (request.url === '/counts') {
    reply(response, 200, counts);
    for (const name of Object.keys(counts)) delete counts[name];
    return;
  }
  try {
    const [name, body] = await answer(request);
    counts[name] = (counts[name] ?? 0) + 1;
    reply(response, name === 'CompleteSnapshot' ? 202 : 201, body);
  } catch (error) {
    request.resume();
    response.setHeader('x-amzn-errortype', 'ValidationException');
    reply(response, 400, { Message: error instanceof Error ? error.message : String(error) });
  }
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
