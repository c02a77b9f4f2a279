import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import type { CachedPath, CacheIndex } from '../../../src/cache/cache-index.ts';
import type { CacheStore } from '../../../src/cache/store.ts';
import { PackFiles, type Prefetch } from '../../../src/cache/substituter/pack-files.ts';
import { ServedIndex } from '../../../src/cache/substituter/served-index.ts';
import { serveCache } from '../../../src/cache/substituter/server.ts';
import { Statistics } from '../../../src/cache/substituter/statistics.ts';
import { createSigningKey } from '../../../src/nix/signing-key.ts';
import { memoryLog } from '../../support/memory-log.ts';

export const SECRET = 'the-secret-of-a-test';

/** Paths with small NARs, in packs of `perPack` frames, or cut at `cut` bytes. */
export function sampleCache(count: number, { cut = Number.MAX_SAFE_INTEGER, bytes = 300 } = {}) {
  const nars = Array.from({ length: count }, (_, at) => Buffer.concat([Buffer.from(`nar ${at} `), randomBytes(bytes)]));
  const frames = nars.map((nar) => zstdCompressSync(nar));
  const packs: Buffer[] = [];
  const pieces = frames.map((frame) => {
    const places: { pack: number; offset: number; length: number }[] = [];
    for (let rest = frame; rest.length > 0; ) {
      const pack = Math.max(0, packs.length - ((packs.at(-1)?.length ?? 0) < cut ? 1 : 0));
      const open = packs[pack] ?? Buffer.alloc(0);
      const part = rest.subarray(0, cut - open.length);
      places.push({ pack, offset: open.length, length: part.length });
      packs[pack] = Buffer.concat([open, part]);
      rest = rest.subarray(part.length);
    }
    return places;
  });
  const sha256 = (data: Buffer) => createHash('sha256').update(data);
  const paths = nars.map(
    (nar, at): CachedPath => ({
      path: `/nix/store/${String(at).padStart(32, '0')}-p${at}`,
      narHash: `sha256-${sha256(nar).digest('base64')}`,
      narSize: nar.length,
      references: [],
      seconds: 1,
      pieces: pieces[at] ?? [],
      system: 'x86_64-linux',
      isLeaf: false,
      used: 0,
    }),
  );
  const described = packs.map((data, at) => ({
    key: `nix-images-v1-pack-${sha256(data).digest('hex')}-t-${at}`,
    bytes: data.length,
    sha256: sha256(data).digest('hex'),
  }));
  const index: CacheIndex = { version: 1, packs: described, paths, closures: [] };
  return { index, nars, packs: new Map(described.map(({ key }, at) => [key, packs[at] ?? Buffer.alloc(0)])) };
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** Serves a cache, and asks it. */
export async function serveSample(
  index: CacheIndex,
  restore: CacheStore['restore'],
  options: {
    readonly patience?: number;
    readonly diskLimit?: number;
    readonly prefetch?: Prefetch;
    readonly prepare?: () => void;
  } = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'cache-served-'));
  const log = memoryLog();
  const statistics = new Statistics();
  const { patience, diskLimit, prefetch = 'asked', prepare } = options;
  const store = { name: 'a test', restore, ...(prepare ? { prepare } : {}) };
  const packs = new PackFiles(index.packs, {
    store,
    folder,
    log,
    statistics,
    prefetch,
    ...(diskLimit ? { diskLimit } : {}),
  });
  const served = new ServedIndex(index, createSigningKey('test-1'));
  const server = await serveCache({
    ...{ index: served, packs, statistics, log, secret: SECRET, port: 0 },
    ...(patience ? { patience } : {}),
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const { port } = new URL(server.url);
  /** Asks for a path as it is, whatever is in it. */
  const ask = (path: string, method = 'GET'): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const asked = request({ agent, host: '127.0.0.1', port, path, method }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      });
      asked.on('error', reject);
      asked.end();
    });
  return {
    server,
    statistics,
    log,
    ask,
    /** Asks for what is behind the secret. */
    get: (path: string, method = 'GET') => ask(`/${SECRET}/${path}`, method),
    close: async () => {
      agent.destroy();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Restores what is in a map. */
export const fromMap =
  (packs: ReadonlyMap<string, Buffer>): CacheStore['restore'] =>
  async (key, file) => {
    const bytes = packs.get(key);
    if (bytes) await writeFile(file, bytes);
    return bytes !== undefined;
  };

export const narOf = ({ path }: CachedPath): string => `nar/${path.slice(11, 43)}.nar.zst`;
export const narinfoOf = ({ path }: CachedPath): string => `${path.slice(11, 43)}.narinfo`;
