import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { CacheIndex } from '../cache/cache-index.ts';
import { decodeIndex, encodeIndex } from '../cache/index-file.ts';
import type { CacheStore } from '../cache/store.ts';
import { runSubstituter, SUBSTITUTER_FILES } from '../cache/substituter/run-substituter.ts';
import type { ServedStatistics } from '../cache/substituter/statistics.ts';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { sizeText } from '../core/size.ts';
import { fieldMeta } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { flagWord, secretVariable } from '../host/names.ts';
import { openNix } from '../nix/nix.ts';
import { areSettingsObeyed } from '../nix/obeyed-settings.ts';
import { includeLine } from '../nix/substituter-settings.ts';
import { type PlaceInputs, placeInputs } from './cache-house.ts';
import { endCacheProcess, startCacheProcess } from './cache-process.ts';

const LOOPBACK = '127.0.0.1';

const MINUTE = 60_000;

/**
 * Milliseconds that a process in the background lives at most: as long as the longest job whose token GitHub renews (24 h on
 * a runner of one's own), so that a lost post step leaves nothing for ever.
 */
const LONGEST_JOB = 24 * 60 * MINUTE;

/** Minutes without a request after which it ends in the background: GitHub's own runners end a job after six hours. */
const IDLE_MINUTES = 360;

/** The index that a process in the background serves, in its folder: the step that starts it has read and joined it. */
const INDEX_FILE = 'index';

/** The environment's lines of nix.conf, with the one that includes a file. */
const withInclude = (host: Host, settings: string): string =>
  [host.env('NIX_CONFIG') ?? '', includeLine(settings), ''].join('\n').trimStart();

/**
 * Variables by which Nix speaks to the cache itself where everything else goes through a proxy, as on many runners of
 * companies: curl, which Nix uses, sends what is for the loopback address to the proxy too.
 */
function aroundProxy({ env }: Host): Readonly<Record<string, string>> {
  if (['http_proxy', 'all_proxy', 'ALL_PROXY'].every((name) => env(name) === undefined)) return {};
  const hosts = (env('no_proxy') ?? env('NO_PROXY') ?? '').split(/[\s,]+/).filter((host) => host !== '');
  if (hosts.includes(LOOPBACK) || hosts.includes('*')) return {};
  const all = [...hosts, LOOPBACK].join(',');
  return { no_proxy: all, NO_PROXY: all };
}

/** Whether Nix takes the cache; where it does not, one warning says what to do. */
async function checkObeyed(host: Host, settings: string): Promise<boolean> {
  const { exec, log, signal } = host;
  const nix = await openNix({ exec, log, signal });
  if (await areSettingsObeyed(nix, withInclude(host, settings))) return true;
  const { username } = userInfo();
  log.warn(
    `the Nix daemon does not take a cache from ${username}, who is not one of its trusted users, so everything is built. ` +
      `Add this line to its nix.conf, and restart it: extra-trusted-users = ${username}`,
  );
  return false;
}

/** What is in a cache, in a few words. */
export function contentText({ paths, packs }: CacheIndex): string {
  const bytes = packs.reduce((sum, pack) => sum + pack.bytes, 0);
  return `${countText(paths.length, 'path')} (${sizeText(bytes)})`;
}

/** How a cache is served. */
interface Serving {
  readonly port: number;
  readonly secret: string;
  /** Folder of settings, statistics, and packs while they are needed. */
  readonly state: string;
  /** Minutes without a request after which it ends; 0 is never. */
  readonly idle: number;
  readonly eager: boolean;
}

/** The index that the step which started this process has left in its folder; undefined where there is none. */
export async function readServedIndex(state: string): Promise<CacheIndex | undefined> {
  const bytes = await readFile(join(state, INDEX_FILE)).catch(() => undefined);
  if (bytes === undefined) return undefined;
  const decoded = decodeIndex(bytes);
  if (decoded.kind === 'index') return decoded.index;
  throw new UserError('file', `${join(state, INDEX_FILE)}: ${decoded.why}`);
}

/** Serves until the user stops it or a limit is reached. */
export async function serveUntilStopped(
  host: Host,
  { store, index }: { readonly store: CacheStore; readonly index: CacheIndex },
  { port, secret, state, idle, eager }: Serving,
): Promise<ServedStatistics> {
  const { log, signal } = host;
  const settings = join(state, SUBSTITUTER_FILES.settings);
  const limits = idle === 0 ? { idle: Infinity, life: Infinity } : { idle: idle * MINUTE, life: LONGEST_JOB };
  const onReady = async (): Promise<void> => {
    const what = `${contentText(index)} of ${store.name}`;
    log.info(`serving ${what}; for Nix: export NIX_CONFIG='${includeLine(settings)}'`);
    if (Object.keys(aroundProxy(host)).length > 0) {
      log.warn(`Nix would ask the proxy for the cache: add ${LOOPBACK} to the variable no_proxy`);
    }
    if (idle === 0) await checkObeyed(host, settings).catch((error: Error) => log.debug(error.message));
  };
  const { why, statistics } = await runSubstituter(
    { index, store, folder: state, secret, port, limits, prefetch: eager ? 'told' : 'missing', onReady },
    { log, signal },
  );
  if (why !== 'stopped')
    log.info(`ended by itself: ${why === 'idle' ? 'nobody asked for anything' : 'its job must be over'}`);
  return statistics;
}

/** Serves a cache to the Nix that `work` runs, which gets the variables for it. What is asked for is told, and packs come where Nix wants a path. */
export async function whileServed<T>(
  host: Host,
  { store, index }: { readonly store: CacheStore; readonly index: CacheIndex },
  work: (env: Readonly<Record<string, string>>) => Promise<T>,
): Promise<T> {
  const { log, signal } = host;
  const folder = await host.tempDir();
  const settings = join(folder, SUBSTITUTER_FILES.settings);
  const ended = new AbortController();
  const limits = { idle: Infinity, life: Infinity };
  let done: { readonly value: T } | undefined;
  const onReady = async (): Promise<void> => {
    done = { value: await work({ NIX_CONFIG: withInclude(host, settings), ...aroundProxy(host) }) };
    ended.abort();
  };
  await runSubstituter(
    { index, store, folder, secret: randomBytes(16).toString('hex'), port: 0, limits, prefetch: 'asked', onReady },
    { log, signal: AbortSignal.any([signal, ended.signal]) },
  );
  if (done === undefined) throw new TypeError('a cache that was served has come to no end');
  return done.value;
}

/** The words and variables by which another process of this program is told where the cache is, and the logins for it. */
function placeOf(inputs: PlaceInputs) {
  const words: string[] = [];
  const env: Record<string, string> = {};
  const { cache, token, ...logins } = inputs;
  for (const [name, field] of Object.entries(placeInputs)) {
    const value = (logins as Readonly<Record<string, unknown>>)[name];
    if (value === undefined || value === '') continue;
    const meta = fieldMeta(field);
    if (meta.kind === 'secret') env[secretVariable(name)] = String(value);
    else for (const one of [value].flat()) words.push(`--${flagWord(name, meta)}`, String(one));
  }
  const hasLogin = logins.password !== undefined || logins.registryAuth !== undefined;
  if (!hasLogin && token !== undefined && cache?.startsWith('docker://ghcr.io/')) {
    env[secretVariable('registryAuth')] = `ghcr.io token ${token}`;
  }
  return { words: cache === undefined ? words : [cache, ...words], env };
}

/**
 * Starts a process that serves `index` for the rest of the job, from the cache at `place`. Gives the
 * environment of the steps that follow; undefined where Nix does not take the cache. Throws UserError `file`.
 */
export async function serveForJob(
  host: Host,
  { index, place }: { readonly index: CacheIndex; readonly place: PlaceInputs },
  { port, secret, state, eager }: Omit<Serving, 'idle'>,
): Promise<Readonly<Record<string, string>> | undefined> {
  const file = join(state, INDEX_FILE);
  await withFileErrors(file, 'write', async () => {
    await mkdir(state, { recursive: true, mode: 0o700 });
    await writeFile(file, encodeIndex(index), { mode: 0o600 });
  });
  const { words, env } = placeOf(place);
  const numbers = ['--port', String(port), '--idle', String(IDLE_MINUTES)];
  const settings = await startCacheProcess({
    program: host.program,
    args: ['cache', ...words, '--state', state, ...numbers, ...(eager ? ['--eager'] : [])],
    env: { ...env, [secretVariable('secret')]: secret },
    folder: state,
  });
  if (await checkObeyed(host, settings)) {
    return { NIX_CONFIG: withInclude(host, settings), ...aroundProxy(host) };
  }
  await endCacheProcess(state);
  return undefined;
}
