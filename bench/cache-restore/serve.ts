// A server of the comparison, as a process of its own: node serve.ts CONFIG, where CONFIG is the JSON of `ServeConfig`. Prints its
// URL when it answers, and its counts when standard input ends.

import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { restoreIndex } from '../../src/cache/index-store.ts';
import type { Prefetch } from '../../src/cache/substituter/pack-files.ts';
import { runSubstituter } from '../../src/cache/substituter/run-substituter.ts';
import { systemClock } from '../../src/core/clock.ts';
import { keepHeapSmall } from '../../src/host/small-heap.ts';
import { narinfoText } from '../../src/nix/narinfo.ts';
import { createSigningKey } from '../../src/nix/signing-key.ts';
import { quietLog } from '../quiet-log.ts';
import type { ClosurePath } from './closure.ts';
import { packedFile } from './closure.ts';
import { DistantStore } from './distant-store.ts';
import { Link } from './link.ts';
import { FIRST_PART } from './save.ts';

export interface ServeConfig {
  readonly kind: 'upstream' | 'packs' | 'entries';
  /** Folder of the closure, and of the cache. */
  readonly closure: string;
  readonly cache: string;
  /** A folder of this server's own. */
  readonly state: string;
  readonly priority: number;
  readonly prefetch: Prefetch;
}

/** Milliseconds of an answer of a content delivery network. */
const UPSTREAM = 15;

// As the program itself does first of all.
keepHeapSmall();

const config = JSON.parse(process.argv[2] ?? '') as ServeConfig;
const link = new Link();
const stopped = new AbortController();
process.stdin.on('end', () => stopped.abort()).resume();

const quiet = quietLog(console.error);

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function servePacks(): Promise<void> {
  const store = new DistantStore(config.cache, link, { log: quiet, clock: systemClock });
  const { index } = await restoreIndex({ store, folder: config.state, log: quiet }, { prefixes: [FIRST_PART] });
  const never = { idle: Number.POSITIVE_INFINITY, life: Number.POSITIVE_INFINITY };
  const { statistics } = await runSubstituter(
    {
      index,
      store,
      folder: config.state,
      secret: 'secret',
      port: 0,
      limits: never,
      prefetch: config.prefetch,
      onReady: async (url) => say(url),
    },
    { log: quiet, signal: stopped.signal },
  );
  say(JSON.stringify({ ...link.counts(), statistics, peak: process.resourceUsage().maxRSS * 1024 }));
}

const paths = JSON.parse(await readFile(`${config.closure}/paths.json`, 'utf8')) as ClosurePath[];

/** A cache that has either the project's paths, each an entry of the service, or upstream's. */
async function servePaths(): Promise<void> {
  const isUpstream = config.kind === 'upstream';
  const has = new Map(
    paths.filter(({ isOurs }) => isOurs !== isUpstream).map((path) => [path.path.slice(11, 43), path]),
  );
  const key = createSigningKey('bench-1');
  const lookUp = (): Promise<void> => (isUpstream ? setTimeout(UPSTREAM) : link.call());
  const answer = async (asked: string, response: ServerResponse): Promise<void> => {
    if (asked.endsWith('nix-cache-info')) {
      response.end(`StoreDir: /nix/store\nWantMassQuery: 1\nPriority: ${config.priority}\n`);
      return;
    }
    await lookUp();
    const path = has.get(asked.replace(/^.*\//, '').slice(0, 32));
    if (path === undefined) {
      response.writeHead(404).end();
      return;
    }
    if (asked.endsWith('.narinfo')) {
      const url = `nar/${path.path.slice(11, 43)}.nar.zst`;
      response.end(narinfoText(path, { url, compression: 'zstd', fileSize: path.packed }, key));
      return;
    }
    if (!isUpstream) await link.blob(path.packed);
    response.end(await readFile(packedFile({ folder: config.closure }, path)));
  };
  const server = createServer((request, response) => {
    answer(request.url ?? '', response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1', () => say(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  await new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
  server.close().closeAllConnections();
  say(JSON.stringify(link.counts()));
}

await (config.kind === 'packs' ? servePacks() : servePaths());
