import type { CacheStore } from '../cache/store.ts';
import { systemClock } from '../core/clock.ts';
import { GitHubStore } from '../github/cache/github-store.ts';
import { restCaches } from '../github/rest/caches.ts';
import type { Host } from '../host/host.ts';

/** GitHub's cache of this job's repository. Without a token nothing is listed or deleted there. */
export function gitHubCache(host: Host, token: string | undefined): CacheStore {
  const { env, log, signal, fetch, exec, program, tempDir } = host;
  const repository = env('GITHUB_REPOSITORY');
  const url = env('GITHUB_API_URL') ?? 'https://api.github.com';
  const rest =
    token === undefined || repository === undefined
      ? undefined
      : restCaches({ url, token, repository, fetch, log, signal });
  return new GitHubStore({ exec, env, log, signal, program, tempDir, clock: systemClock, rest });
}
