import type { CacheStore } from '../cache/store.ts';
import { systemClock } from '../core/clock.ts';
import { GitHubStore } from '../github/cache/github-store.ts';
import { restCaches } from '../github/rest/caches.ts';
import { deadRefs } from '../github/rest/dead-refs.ts';
import type { Host } from '../host/host.ts';

type Asking = Pick<Host, 'env' | 'fetch' | 'log' | 'signal'>;

/** How GitHub is asked about this job's repository; undefined without a token. */
function apiOf({ env, fetch, log, signal }: Asking, token: string | undefined) {
  const repository = env('GITHUB_REPOSITORY');
  if (token === undefined || repository === undefined) return undefined;
  return { url: env('GITHUB_API_URL') ?? 'https://api.github.com', token, repository, fetch, log, signal };
}

/** GitHub's cache of this job's repository. Without a token nothing is listed or deleted there. */
export function gitHubCache(host: Host, token: string | undefined): CacheStore {
  const { env, log, signal, exec, program, tempDir } = host;
  const api = apiOf(host, token);
  const rest = api && restCaches(api);
  return new GitHubStore({ exec, env, log, signal, program, tempDir, clock: systemClock, rest });
}

/** The refs of closed pull requests that have entries in GitHub's cache; none where that cannot be told. */
export async function refsOfClosedPulls(
  host: Asking,
  token: string | undefined,
  store: Pick<CacheStore, 'list'>,
): Promise<ReadonlySet<string>> {
  const api = apiOf(host, token);
  const entries = api && (await store.list());
  return entries ? await deadRefs(api, new Set(entries.flatMap(({ ref }) => ref ?? []))) : new Set();
}
