import type { Octokit } from '@octokit/core';
import { z } from 'zod';
import type { CacheEntry, RemoveOutcome, StoreLimits } from '../../cache/store.ts';
import { onFirstUse } from '../../core/on-first-use.ts';
import { type GitHubApi, openOctokit } from './octokit.ts';
import { allPages } from './pages.ts';
import { githubError } from './repository-api.ts';
import { restFailure } from './rest-failure.ts';

/** GitHub's defaults, which a repository's own limits replace where a token may read them (docs.github.com, "Dependency caching"). */
const DEFAULTS: StoreLimits = { bytes: 10e9, idleDays: 7 };

// What GitHub's description leaves optional is needed here; a listing without it is of no use.
const pageSchema = z.object({
  total_count: z.int().nonnegative(),
  actions_caches: z.array(
    z.object({
      id: z.int().positive(),
      key: z.string(),
      ref: z.string().optional(),
      size_in_bytes: z.int().nonnegative(),
      created_at: z.iso.datetime({ offset: true }),
      last_accessed_at: z.iso.datetime({ offset: true }),
    }),
  ),
});
const storageSchema = z.object({ max_cache_size_gb: z.number().positive() });
const retentionSchema = z.object({ max_cache_retention_days: z.number().positive() });

/** The line that lets a job delete caches. */
const NEEDS_WRITE = 'the job needs `permissions: actions: write`';
const NEEDS_READ = 'the job needs `permissions: actions: read`';

interface CacheFilter {
  readonly key: string;
  readonly ref: string | undefined;
}

/** The caches of a repository as GitHub's REST interface shows them. But for `listed` no method throws but UserError `cancelled`. */
export interface RestCaches {
  /** All entries of all refs, or those of a ref whose key begins so. Throws UserError `credentials`, `github` or `cancelled`. */
  listed(filter?: CacheFilter): Promise<readonly CacheEntry[]>;
  /** All entries of all refs; undefined, with a line in the log, where they cannot be listed. */
  list(): Promise<readonly CacheEntry[] | undefined>;
  remove(id: string): Promise<RemoveOutcome>;
  /** The repository's own, or GitHub's defaults where the token may not read them. */
  limits(): Promise<StoreLimits>;
}

interface RestCachesDeps extends GitHubApi {
  /** `OWNER/NAME`. */
  readonly repository: string;
}

/** Opens them; nothing is loaded or asked before the first call. */
export function restCaches(deps: RestCachesDeps): RestCaches {
  const [owner = '', repo = ''] = deps.repository.split('/');
  const { log, signal } = deps;
  const client = onFirstUse((): Promise<Octokit> => openOctokit(deps));

  const list = async (filter?: CacheFilter): Promise<CacheEntry[]> => {
    const octokit = await client();
    const found = await allPages(async (page, per_page) => {
      // Oldest first: entries that are added meanwhile come last, and move no others to another page.
      const order = { sort: 'created_at', direction: 'asc' } as const;
      const { data } = await octokit.request('GET /repos/{owner}/{repo}/actions/caches', {
        owner,
        repo,
        per_page,
        page,
        ...order,
        ...(filter ? { key: filter.key, ...(filter.ref === undefined ? {} : { ref: filter.ref }) } : {}),
      });
      return pageSchema.parse(data).actions_caches;
    });
    const byId = new Map(found.map((entry) => [entry.id, entry]));
    return [...byId.values()].map(({ id, key, ref, size_in_bytes, created_at, last_accessed_at }) => ({
      ...{ id: String(id), key, ref, bytes: size_in_bytes },
      ...{ created: Date.parse(created_at), used: Date.parse(last_accessed_at) },
    }));
  };

  const ask = async (path: 'storage-limit' | 'retention-limit'): Promise<unknown> => {
    const octokit = await client();
    try {
      return (await octokit.request(`GET /repos/{owner}/{repo}/actions/cache/${path}`, { owner, repo })).data;
    } catch (error) {
      log.debug(`GitHub does not say the ${path} of caches: ${restFailure(error, signal).why}`);
      return undefined;
    }
  };

  const remove = async (id: string): Promise<RemoveOutcome> => {
    const octokit = await client();
    try {
      await octokit.request('DELETE /repos/{owner}/{repo}/actions/caches/{cache_id}', {
        owner,
        repo,
        cache_id: Number(id),
      });
      return { kind: 'removed' };
    } catch (error) {
      const { status, why, isDenied } = restFailure(error, signal);
      // Also what follows an error of the service that has deleted it all the same.
      if (status === 404) return { kind: 'gone' };
      return isDenied ? { kind: 'denied', why: NEEDS_WRITE } : { kind: 'failed', why };
    }
  };

  let mayList = true;
  return {
    listed: async (filter) => {
      try {
        return await list(filter);
      } catch (error) {
        const what = `cannot list the caches of ${deps.repository}`;
        throw githubError(error, { what, permission: 'actions: read', signal });
      }
    },
    list: async () => {
      if (!mayList) return undefined;
      try {
        return await list();
      } catch (error) {
        const { why, isDenied } = restFailure(error, signal);
        // What a job works without is no warning; it is said once.
        mayList = !isDenied;
        const text = `cannot list the caches of ${deps.repository}: ${isDenied ? NEEDS_READ : why}`;
        if (isDenied) log.info(text);
        else log.warn(text);
        return undefined;
      }
    },
    remove,
    limits: async () => {
      const storage = storageSchema.safeParse(await ask('storage-limit'));
      const retention = retentionSchema.safeParse(await ask('retention-limit'));
      return {
        bytes: storage.success ? storage.data.max_cache_size_gb * 1e9 : DEFAULTS.bytes,
        idleDays: retention.success ? retention.data.max_cache_retention_days : DEFAULTS.idleDays,
      };
    },
  };
}
