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
import { quietLog } from '../../test/support/quiet-log.ts';
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

/** What a request for `/HASH.narinfo` or `/nar/HASH.nar.zst` gets; undefined for nothing. */
type Answer = (asked: string) => Promise<Buffer | undefined>;

const hashOf = (text: string): string => text.replace(/^.*\//, '').slice(0, 32);

const key = createSigningKey('bench-1');

function narinfoOf(path: ClosurePath): Buffer {
  const url = `nar/${hashOf(path.path)}.nar.zst`;
  return Buffer.from(narinfoText(path, { url, compression: 'zstd', fileSize: path.packed }, key));
}

/** All that upstream has, ready before anybody asks: what it does elsewhere takes nothing of this machine's processor. */
async function answerUpstream(): Promise<Answer> {
  const answers = new Map<string, Buffer>();
  for (const path of paths.filter(({ isOurs }) => !isOurs)) {
    answers.set(`/${hashOf(path.path)}.narinfo`, narinfoOf(path));
    answers.set(`/nar/${hashOf(path.path)}.nar.zst`, await readFile(packedFile({ folder: config.closure }, path)));
  }
  return async (asked) => {
    await setTimeout(UPSTREAM);
    return answers.get(asked);
  };
}

/** The project's paths, each an entry of the service. */
function answerEntries(): Answer {
  const has = new Map(paths.filter(({ isOurs }) => isOurs).map((path) => [hashOf(path.path), path]));
  return async (asked) => {
    await link.call();
    const path = has.get(hashOf(asked));
    if (path === undefined || asked.endsWith('.narinfo')) return path && narinfoOf(path);
    await link.blob(path.packed);
    return await readFile(packedFile({ folder: config.closure }, path));
  };
}

/** Serves until it is stopped. */
async function serveAnswers(answer: Answer): Promise<void> {
  const info = Buffer.from(`StoreDir: /nix/store\nWantMassQuery: 1\nPriority: ${config.priority}\n`);
  const send = async (asked: string, response: ServerResponse): Promise<void> => {
    const body = asked === '/nix-cache-info' ? info : await answer(asked);
    response.writeHead(body === undefined ? 404 : 200, { 'content-length': body?.length ?? 0 }).end(body);
  };
  const server = createServer(({ url = '' }, response) => {
    send(url, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1', () => say(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  await new Promise((resolve) => stopped.signal.addEventListener('abort', resolve));
  server.close().closeAllConnections();
  say(JSON.stringify(link.counts()));
}

if (config.kind === 'packs') await servePacks();
else await serveAnswers(config.kind === 'upstream' ? await answerUpstream() : answerEntries());
