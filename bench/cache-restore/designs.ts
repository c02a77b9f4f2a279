import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import type { Prefetch } from '../../src/cache/substituter/pack-files.ts';
import { SUBSTITUTER_FILES } from '../../src/cache/substituter/run-substituter.ts';
import { includeLine } from '../../src/nix/substituter-settings.ts';
import type { ClosureOnDisk } from './closure.ts';
import { Link, type LinkCounts } from './link.ts';
import type { ServeConfig } from './serve.ts';

export const DESIGNS = [
  'packs',
  'packs, eager',
  'packs, when asked',
  'entries, asked first',
  'entries, asked last',
  'tarball',
] as const;

export type Design = (typeof DESIGNS)[number];

/** One restore. */
export interface Restored {
  readonly seconds: number;
  readonly counts: LinkCounts;
}

interface Places {
  readonly closure: ClosureOnDisk;
  /** The cache that `saveCache` has filled. */
  readonly cache: string;
  /** Where stores are made. */
  readonly work: string;
}

/** Upstream has 40, as cache.nixos.org; what has a smaller number is asked before it. */
const UPSTREAM_PRIORITY = 40;

interface RunningServer {
  readonly url: string;
  end(): Promise<LinkCounts>;
}

/** `compiled` is where Node keeps what it has compiled: the released program is one file, which is ready in half of the time that its sources take. */
async function startServer(config: ServeConfig, compiled: string): Promise<RunningServer> {
  const child = execa(process.execPath, [join(import.meta.dirname, 'serve.ts'), JSON.stringify(config)], {
    env: { NODE_COMPILE_CACHE: compiled },
    stdin: 'pipe',
    stderr: 'inherit',
    buffer: false,
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: url } = await lines.next();
  if (typeof url !== 'string') throw new Error(`the server ${config.kind} did not start`);
  return {
    url,
    end: async () => {
      child.stdin.end();
      const { value } = await lines.next();
      await child;
      return JSON.parse(String(value)) as LinkCounts;
    },
  };
}

const compiledIn = ({ work }: Pick<Places, 'work'>): string => join(work, 'compiled');

/** Has Node compile the servers, which the first restore would wait for. */
export async function compileServers(places: Places): Promise<void> {
  const { closure, cache, work: state } = places;
  const config = { closure: closure.folder, cache, state, kind: 'entries', priority: 0, prefetch: 'asked' } as const;
  await (await startServer(config, compiledIn(places))).end();
}

/** Has Nix take the whole closure from caches into a store of its own. */
async function substitute(
  { closure }: Places,
  folder: string,
  urls: readonly string[],
  more: readonly string[],
): Promise<void> {
  const settings = [
    'experimental-features =',
    'build-users-group =',
    'sandbox-paths =',
    `substituters = ${urls.map((url) => `${url}?trusted=1`).join(' ')}`,
    'max-jobs = 16',
    ...more,
  ];
  const root = closure.paths[0]?.path ?? '';
  await execa('nix-store', ['--store', `local?root=${join(folder, 'root')}`, '--realise', root], {
    env: { HOME: folder, XDG_CACHE_HOME: join(folder, 'xdg'), NIX_CONFIG: settings.join('\n') },
  });
}

/** When packs come, beside the default of the program. */
const PREFETCH: Readonly<Partial<Record<Design, Prefetch>>> = { 'packs, eager': 'told', 'packs, when asked': 'asked' };

async function byNix(design: Exclude<Design, 'tarball'>, places: Places, folder: string): Promise<Restored> {
  const state = join(folder, 'state');
  await mkdir(state);
  const prefetch = PREFETCH[design] ?? 'missing';
  const config = { closure: places.closure.folder, cache: places.cache, state, prefetch };
  const compiled = compiledIn(places);
  const upstream = await startServer({ ...config, kind: 'upstream', priority: UPSTREAM_PRIORITY }, compiled);
  const begin = performance.now();
  const kind = design.startsWith('packs') ? 'packs' : 'entries';
  const priority = design === 'entries, asked first' ? UPSTREAM_PRIORITY - 10 : UPSTREAM_PRIORITY + 10;
  const ours = await startServer({ ...config, kind, priority }, compiled);
  // What the job is to build: Nix asks for it before it asks for what that needs.
  if (kind === 'packs') await fetch(`${ours.url}/${'a'.repeat(32)}.narinfo`);
  // The substituter has written its own settings, its URL among them.
  const [urls, more] =
    kind === 'packs'
      ? [[upstream.url], [includeLine(join(state, SUBSTITUTER_FILES.settings))]]
      : [[upstream.url, ours.url], []];
  await substitute(places, folder, urls, more);
  const seconds = (performance.now() - begin) / 1000;
  const counts = await ours.end();
  await upstream.end();
  return { seconds, counts };
}

/** As GitHub's client does it: to a file first, then unpacked by tar and zstd. */
async function byTarball({ closure }: Places, folder: string): Promise<Restored> {
  const link = new Link();
  const begin = performance.now();
  await link.call();
  const { size } = await stat(closure.tarball);
  const file = join(folder, 'store.tar.zst');
  await Promise.all([link.blob(size), pipeline(createReadStream(closure.tarball), createWriteStream(file))]);
  await mkdir(join(folder, 'root'));
  await execa('tar', ['-x', '-f', file, '-C', join(folder, 'root'), '--use-compress-program', 'unzstd']);
  return { seconds: (performance.now() - begin) / 1000, counts: link.counts() };
}

/**
 * Restores the closure by a design, into a new folder of `work`. It stays: a file system reuses what was freed last, which takes a
 * design that comes after much was deleted more time than one before.
 */
export async function restoreBy(design: Design, places: Places): Promise<Restored> {
  const folder = await mkdtemp(join(places.work, 'restore-'));
  // Nobody is to wait for what the one before has written.
  await execa('sync');
  return design === 'tarball' ? await byTarball(places, folder) : await byNix(design, places, folder);
}
