import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';
import type { ResultsOptions } from '../../../emulators/results/emulator.ts';
import type { Fault } from '../../../emulators/results/faults.ts';
import { CLIENT_VERSION, newFolder, openResults, openStore, randomPack, type StoreOptions } from './kit.ts';

// What may go wrong, each through the real client in its process. The words in verdict.ts are the client's: these tests hold them together.

const KEY = 'nix-images-v1-pack-abc-1';
const MAIN = 'refs/heads/main';

const scene = async (options: ResultsOptions = {}, more: StoreOptions = {}) => {
  const results = await openResults(options);
  const opened = await openStore(results, more);
  const folder = await newFolder();
  const pack = await randomPack(folder, 20_000);
  return {
    ...opened,
    results,
    pack,
    save: (key = KEY) => opened.store.save(key, pack.path),
    restore: () => opened.store.restore(KEY, join(folder, 'back')),
    routes: () => results.requests.map(({ route }) => route),
  };
};

const failure = (route: Fault['route'], status: number, times = 5): Fault => ({
  ...{ kind: 'status', route, status, times },
  body: { code: 'unavailable', msg: 'try later' },
});

test('a key that is taken exists where it can be read, and is lost for a day where its upload never ended', async () => {
  const { results, save, said } = await scene();
  expect(await save()).toEqual({ kind: 'saved' });
  expect(await save()).toEqual({ kind: 'exists' });
  results.caches.reserve(MAIN, 'other', CLIENT_VERSION);
  const why = 'an upload that has not ended has its key, for up to a day';
  expect(await save('other')).toEqual({ kind: 'failed', why });
  expect(said()).toEqual([`cannot store other in GitHub's cache: ${why}`]);
});

test('after 429 nothing is sent until the time that the service says', async () => {
  const { save, routes } = await scene({ caches: { uploadsAMinute: 1 } });
  await save();
  const before = Date.now();
  const outcome = await save('second');
  expect(outcome.kind).toBe('limited');
  expect((outcome.until ?? 0) - before).toBeGreaterThan(30_000);
  expect((outcome.until ?? 0) - before).toBeLessThan(65_000);
  const count = routes().length;
  expect(await save('third')).toEqual(outcome);
  expect(routes().length).toBe(count);
});

test('429 without a time is a minute', async () => {
  const { save } = await scene({ caches: { uploadsAMinute: 0, saysRetryAfter: false } });
  const outcome = await save();
  expect(outcome.kind).toBe('limited');
  expect((outcome.until ?? 0) - Date.now()).toBeGreaterThan(55_000);
});

test('a service that answers 500 is asked five times by the client, and after two entries no more in this job', async () => {
  const { save, restore, routes, said } = await scene({ faults: [failure('CreateCacheEntry', 500, 99)] });
  const off = { kind: 'failed', why: 'the cache is not used in this job any more' };
  const failed = { kind: 'failed', why: expect.stringContaining('after 5 attempts') };
  // The third waits for its turn when the second fails.
  expect(await Promise.all([save(), save('second'), save('third')])).toEqual([failed, failed, off]);
  expect(routes().length).toBe(10);
  expect(await save('fourth')).toEqual(off);
  expect(await restore()).toBe(false);
  expect(routes().length).toBe(10);
  expect(said()).toContain("GitHub's cache does not answer; this job goes on without it");
});

test('a token that may only read reads', async () => {
  const { results, save, restore, said } = await scene();
  await save();
  const readOnly = await openStore(results, { job: { scopes: [{ ref: MAIN, permission: 'read' }] } });
  const file = join(await newFolder(), 'back');
  const { path } = await randomPack(await newFolder(), 100);
  const why = 'the token of this run may only read caches';
  expect(await readOnly.store.save('new', path)).toEqual({ kind: 'read-only', why });
  expect(await readOnly.store.restore(KEY, file)).toBe(true);
  expect(readOnly.said()).toEqual([]);
  expect(await restore()).toBe(true);
  expect(said()).toEqual([]);
});

test("the runner's mode `read`, and an account whose budget is spent, are read-only", async () => {
  const mode = await scene({}, { env: { ACTIONS_CACHE_MODE: 'read' } });
  expect(await mode.save()).toEqual({ kind: 'read-only', why: 'the mode of the cache is read' });
  expect(mode.routes()).toEqual([]);
  const spent = await scene({ caches: { isSpent: true } });
  expect(await spent.save()).toEqual({ kind: 'read-only', why: "the account's budget for caches is spent" });
});

test('a run that may not even read, and one whose pull request is closed, find nothing', async () => {
  const none = await scene({}, { job: { scopes: [] } });
  expect(await none.restore()).toBe(false);
  expect(none.said()).toEqual([`cannot read ${KEY} from GitHub's cache: the token of this run has no readable scopes`]);
  const closed = await scene({ faults: [failure('GetCacheEntryDownloadURL', 403)] });
  expect(await closed.restore()).toBe(false);
  expect(closed.said()[0]).toContain('403');
});

test('an answer to the last call that is lost is looked for; an upload that the service does not know is lost', async () => {
  const lost = await scene({ faults: [{ kind: 'lose-answer', route: 'FinalizeCacheEntryUpload' }] });
  expect(await lost.save()).toEqual({ kind: 'saved' });
  const unknown = await scene({ faults: [failure('FinalizeCacheEntryUpload', 404, 1)] });
  expect(await unknown.save()).toMatchObject({ kind: 'failed', why: expect.stringContaining('404') });
});

for (const fault of [
  { kind: 'status', status: 404, route: 'GetBlob' },
  { kind: 'cut-download', after: 100, route: 'GetBlob' },
  { kind: 'corrupt', route: 'GetBlob' },
  { kind: 'expired', route: 'GetCacheEntryDownloadURL' },
] as const satisfies Fault[]) {
  test(`an entry whose content does not come (${fault.kind}) is a miss with one line`, async () => {
    const { save, restore, said, results, leftovers } = await scene();
    await save();
    results.faults.add({ ...fault, times: 9 });
    expect(await restore()).toBe(false);
    expect(said().length).toBe(1);
    expect(said()[0]).toContain(`cannot read ${KEY} from GitHub's cache: `);
    expect(await leftovers()).toEqual([]);
  });
}

test('an entry that lookups do not find yet is a miss', async () => {
  const { save, restore, said } = await scene({ caches: { lag: 60_000 } });
  expect(await save()).toEqual({ kind: 'saved' });
  expect(await restore()).toBe(false);
  expect(said()).toEqual([]);
});

test('nobody answers: the job goes on', async () => {
  const { save, restore, said } = await scene({}, { env: { ACTIONS_RESULTS_URL: 'http://127.0.0.1:1/' } });
  expect(await save()).toEqual({ kind: 'failed', why: 'the connection failed (ECONNREFUSED)' });
  expect(await restore()).toBe(false);
  expect(said()).toContain("GitHub's cache does not answer; this job goes on without it");
});

test('a runner without a cache service is said once, and starts nothing', async () => {
  const { save, restore, said, routes } = await scene({}, { env: { GITHUB_SERVER_URL: 'https://ghe.example.com' } });
  expect(await save()).toMatchObject({ kind: 'failed' });
  expect(await restore()).toBe(false);
  expect(said()).toEqual([
    "GitHub's cache is not used: this runner has no cache service (ACTIONS_CACHE_URL is not set)",
  ]);
  expect(routes()).toEqual([]);
});

test("GitHub Enterprise Server's older service is spoken to, and its refusal is a miss", async () => {
  const results = await openResults();
  const env = { GITHUB_SERVER_URL: 'https://ghe.example.com', ACTIONS_CACHE_URL: `${results.url}/` };
  const { store, said } = await openStore(results, { env });
  expect(await store.restore(KEY, join(await newFolder(), 'back'))).toBe(false);
  expect(said()).toEqual([`cannot read ${KEY} from GitHub's cache: Cache service responded with 404`]);
  expect(results.requests[0]?.path).toBe('/_apis/artifactcache/cache');
});

// The second: as where its signal comes between two of its steps.
test.each([
  ['', {}],
  [', though no signal reaches that', { deaf: 2 }],
])('a job that is cancelled while it saves stops at once, what waits for its turn too%s, and leaves nothing behind', async (_, more) => {
  const slow: Fault = { kind: 'slow', milliseconds: 20_000, route: 'PutBlob' };
  const { results, save, cancel, leftovers } = await scene({ faults: [slow] }, more);
  const first = save();
  for (let at = 0; at < 500 && !results.requests.some(({ route }) => route === 'PutBlob'); at += 1) await sleep(20);
  // Only now, so that its process is the second one.
  const saving = Promise.allSettled([first, save('waiting')]);
  await vi.waitFor(async () => expect(await leftovers()).toHaveLength(2));
  const began = Date.now();
  cancel();
  const cancelled = { status: 'rejected', reason: { code: 'cancelled' } };
  expect(await saving).toMatchObject([cancelled, cancelled]);
  expect(Date.now() - began).toBeLessThan(3000);
  expect(await leftovers()).toEqual([]);
  expect(results.caches.all()).toEqual([]);
});

test('a process that was started ahead moves the first entry that is wanted, and ends with a job that is cancelled', async () => {
  const { results, store, save, cancel, leftovers, restore } = await scene();
  await save();
  store.prepare();
  await vi.waitFor(async () => expect(await leftovers()).toHaveLength(1));
  expect(await restore()).toBe(true);
  expect(await leftovers()).toEqual([]);
  store.prepare();
  await vi.waitFor(async () => expect(await leftovers()).toHaveLength(1));
  cancel();
  await vi.waitFor(async () => expect(await leftovers()).toEqual([]));
  expect(results.requests.filter(({ route }) => route === 'GetCacheEntryDownloadURL')).toHaveLength(1);
});

test('a signal that comes just when a process asks for its turn ends it', async () => {
  const ends = pathToFileURL(join(import.meta.dirname, 'end-when-asking.mjs')).href;
  const { results, save } = await scene({}, { env: { NODE_OPTIONS: `--import=${ends}` } });
  expect(await save()).toEqual({ kind: 'failed', why: 'the process that moves entries ended with 143' });
  expect(results.caches.all()).toEqual([]);
});

test('of a run in which every tenth request fails, what is said to be saved can be read, byte for byte', async () => {
  const { results, store } = await scene({ failEvery: 10 });
  const folder = await newFolder();
  const counts = { saved: 0, restored: 0 };
  for (let at = 0; at < 8; at += 1) {
    const pack = await randomPack(folder, 5000);
    const outcome = await store.save(`pack-${at}`, pack.path);
    if (outcome.kind !== 'saved') continue;
    counts.saved += 1;
    const back = join(folder, `back-${at}`);
    if (!(await store.restore(`pack-${at}`, back))) continue;
    counts.restored += 1;
    expect((await readFile(back)).equals(pack.bytes)).toBe(true);
  }
  expect(results.requests.filter(({ fault }) => fault !== undefined).length).toBeGreaterThan(3);
  expect(counts.saved).toBeGreaterThan(4);
  expect(counts.restored).toBeGreaterThan(3);
});
