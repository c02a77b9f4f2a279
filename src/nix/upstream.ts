import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { collect } from '../core/stream.ts';
import { storeHash } from '../definition/store-path.ts';
import { pathInfo } from './closure.ts';
import { NARINFO_LIMIT, parseNarinfo } from './narinfo.ts';
import type { Nix } from './nix.ts';
import { type Substituter, withoutSecrets } from './settings.ts';

/** Requests at once to one substituter: Nix itself sends up to 25 (`http-connections`). */
const REQUESTS = 24;

/** Milliseconds for one answer. A cache that is slower than that costs more time than the paths are worth. */
const PATIENCE = 10_000;

/** Requests that fail one after another before a substituter is given up: it is down, or does not want us. */
const FAILURES = 8;

/** Redirects of one request: a cache sends to its store of objects, and that perhaps to another address. */
const REDIRECTS = 4;

interface UpstreamQuery extends Pick<Effects, 'fetch' | 'signal'> {
  /** URLs that are not asked: caches of ours. */
  readonly except: readonly string[];
}

/**
 * Those of `paths` that a substituter of this Nix has, under a signature that it believes: they need not be kept elsewhere. A
 * substituter that does not answer counts as empty, with a warning. Throws UserError `cancelled` only.
 */
export async function findUpstream(
  nix: Nix,
  paths: readonly string[],
  { fetch, signal, except }: UpstreamQuery,
): Promise<ReadonlySet<string>> {
  const { substituters, trustedKeys } = await nix.storeSettings();
  const skipped = new Set(except.map(withoutSecrets));
  const found = new Set<string>();
  for (const substituter of substituters) {
    const open = paths.filter((path) => !found.has(path));
    if (open.length === 0) break;
    if (skipped.has(withoutSecrets(substituter.url))) continue;
    const cache = { nix, fetch, signal, substituter, trustedKeys: new Set(trustedKeys) };
    for (const path of await askCache(cache, open)) found.add(path);
  }
  return found;
}

interface Cache extends Omit<UpstreamQuery, 'except'> {
  readonly nix: Nix;
  readonly substituter: Substituter;
  readonly trustedKeys: ReadonlySet<string>;
}

async function askCache(cache: Cache, paths: readonly string[]): Promise<readonly string[]> {
  const { url } = cache.substituter;
  if (/^https?:\/\//.test(url)) return await askHttp(cache, paths);
  if (url.startsWith('file://')) return await askFolder(url, paths);
  return await askNix(cache, paths);
}

/** For what only Nix itself can reach: S3, ssh, other stores, and caches that want a login of its netrc file. */
async function askNix({ nix, substituter }: Cache, paths: readonly string[]): Promise<readonly string[]> {
  try {
    const infos = await pathInfo(nix, paths, ['--store', substituter.url]);
    return paths.filter((path) => infos.get(path));
  } catch (error) {
    if (error instanceof UserError && error.code === 'cancelled') throw error;
    nix.log.warn(`substituter ${withoutSecrets(substituter.url)} is skipped: ${(error as Error).message}`);
    return [];
  }
}

async function askFolder(url: string, paths: readonly string[]): Promise<readonly string[]> {
  const folder = decodeURIComponent(new URL(url).pathname);
  const found = await mapParallel(paths, REQUESTS, (path) =>
    access(join(folder, `${storeHash(path)}.narinfo`)).then(
      () => [path],
      () => [],
    ),
  );
  return found.flat();
}

/** What a cache said of one path. */
type Answer = 'has' | 'has not' | 'wants login' | 'fails';

async function askHttp(cache: Cache, paths: readonly string[]): Promise<readonly string[]> {
  const { nix, substituter } = cache;
  let failed = 0;
  let wantsLogin = false;
  const found = await mapParallel(paths, REQUESTS, async (path) => {
    if (wantsLogin || failed >= FAILURES) return [];
    const answer = await askPath(cache, path);
    wantsLogin ||= answer === 'wants login';
    failed = answer === 'fails' ? failed + 1 : 0;
    return answer === 'has' ? [path] : [];
  });
  if (wantsLogin) return await askNix(cache, paths);
  if (failed >= FAILURES) nix.log.warn(`substituter ${withoutSecrets(substituter.url)} is skipped: it does not answer`);
  return found.flat();
}

async function askPath(cache: Cache, path: string): Promise<Answer> {
  const { nix, signal, substituter } = cache;
  const url = new URL(substituter.url);
  url.search = '';
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${storeHash(path)}.narinfo`;
  try {
    return await read(cache, path, url);
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    nix.log.debug(`${withoutSecrets(url.href)}: ${why}`);
    return 'fails';
  }
}

async function read({ fetch, signal, substituter, trustedKeys }: Cache, path: string, first: URL): Promise<Answer> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  let url = withoutLogin(first);
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { signal: patience, headers: loginOf(url, first) });
    const { status, body } = response;
    const location = response.headers.get('location');
    if (status >= 300 && status < 400 && location !== null && redirects < REDIRECTS) {
      await body?.cancel();
      url = withoutLogin(new URL(location, url));
      continue;
    }
    if (status !== 200 || body === null) {
      await body?.cancel();
      if (status === 401) return 'wants login';
      // Buckets that do not let strangers list answer 403 for what is not there, as Nix knows.
      return [403, 404, 410].includes(status) ? 'has not' : 'fails';
    }
    const narinfo = parseNarinfo((await collect(body, NARINFO_LIMIT)).toString('utf8'));
    if (narinfo?.path !== path) return 'has not';
    const isBelieved =
      substituter.trusted || narinfo.isContentAddressed || narinfo.signers.some((name) => trustedKeys.has(name));
    return isBelieved ? 'has' : 'has not';
  }
}

function withoutLogin(url: URL): URL {
  const plain = new URL(url);
  plain.username = '';
  plain.password = '';
  return plain;
}

/** The login of a cache's URL, for that host alone. */
function loginOf(url: URL, { origin, username, password }: URL): Record<string, string> {
  if (username === '' || url.origin !== origin) return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(login).toString('base64')}` };
}
