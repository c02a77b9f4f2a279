import type { CachedEntry, CacheState } from '../results/cache-state.ts';
import { pageOf } from './paging.ts';
import { Refusal } from './refusal.ts';
import { type Route, route } from './route.ts';

const GB = 1e9;

const time = (milliseconds: number): string => new Date(milliseconds).toISOString();

const shown = (entry: CachedEntry) => ({
  ...{ id: entry.id, ref: entry.ref, key: entry.key, version: entry.version, size_in_bytes: entry.size ?? 0 },
  ...{ last_accessed_at: time(entry.accessedAt), created_at: time(entry.createdAt) },
});

const ORDERS: Readonly<Record<string, (entry: CachedEntry) => number>> = {
  created_at: ({ createdAt }) => createdAt,
  last_accessed_at: ({ accessedAt }) => accessedAt,
  size_in_bytes: ({ size }) => size ?? 0,
};

/** The caches of a repository; `repository` is its full name. */
export const cacheRoutes = (caches: CacheState, repository: string): Route[] => [
  route('get', '/repos/{owner}/{repo}/actions/caches', {
    need: { scope: 'actions', level: 'read' },
    parameters: ['per_page', 'page', 'ref', 'key', 'sort', 'direction'],
    run: (call) => {
      const by = ORDERS[call.query('sort') ?? 'last_accessed_at'];
      if (!by) throw new Refusal(422, 'Validation Failed');
      const [ref, key] = [call.query('ref'), call.query('key')];
      const sign = call.query('direction') === 'asc' ? 1 : -1;
      const found = caches
        .all()
        .filter((entry) => (ref === undefined || entry.ref === ref) && entry.key.startsWith(key ?? ''))
        .sort((a, b) => sign * (by(a) - by(b) || a.id - b.id));
      return {
        status: 200 as const,
        body: { total_count: found.length, actions_caches: pageOf(found, call).map(shown) },
      };
    },
  }),
  route('delete', '/repos/{owner}/{repo}/actions/caches', {
    need: { scope: 'actions', level: 'write' },
    parameters: ['key', 'ref'],
    run: ({ query }) => {
      const [key, ref] = [query('key'), query('ref')];
      if (key === undefined) throw new Refusal(422, 'Missing required query parameter key');
      const found = caches.all().filter((entry) => entry.key === key && (ref === undefined || entry.ref === ref));
      if (found.length === 0) throw new Refusal(404, 'Not Found');
      for (const { id } of found) caches.remove(id);
      return { status: 200 as const, body: { total_count: found.length, actions_caches: found.map(shown) } };
    },
  }),
  route('delete', '/repos/{owner}/{repo}/actions/caches/{cache_id}', {
    need: { scope: 'actions', level: 'write' },
    parameters: [],
    run: ({ path }) => {
      const id = path('cache_id');
      if (!/^\d{1,15}$/.test(id)) throw new Refusal(400, 'Invalid cache id');
      if (!caches.remove(Number(id))) throw new Refusal(404, 'Not Found');
      return { status: 204 as const };
    },
  }),
  route('get', '/repos/{owner}/{repo}/actions/cache/usage', {
    need: { scope: 'actions', level: 'read' },
    parameters: [],
    run: () => {
      const all = caches.all();
      const size = all.reduce((sum, entry) => sum + (entry.size ?? 0), 0);
      const counts = { active_caches_size_in_bytes: size, active_caches_count: all.length };
      return { status: 200 as const, body: { full_name: repository, ...counts } };
    },
  }),
  route('get', '/repos/{owner}/{repo}/actions/cache/storage-limit', {
    need: { scope: 'administration', level: 'read' },
    parameters: [],
    run: () => ({ status: 200 as const, body: { max_cache_size_gb: caches.limitBytes / GB } }),
  }),
  route('get', '/repos/{owner}/{repo}/actions/cache/retention-limit', {
    need: { scope: 'administration', level: 'read' },
    parameters: [],
    run: () => ({ status: 200 as const, body: { max_cache_retention_days: caches.idleDays } }),
  }),
];
