import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runSubstituter, SUBSTITUTER_FILES } from '../../../src/cache/substituter/run-substituter.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { fromMap, SECRET, sampleCache } from './served.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-run-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const FOREVER = Number.POSITIVE_INFINITY;

const run = (
  limits: { readonly idle: number; readonly life: number },
  signal = new AbortController().signal,
  { port = 0, onReady = async (): Promise<void> => undefined } = {},
) => {
  const { index, packs } = sampleCache(1);
  const store = { name: 'a test', restore: fromMap(packs) };
  const options = { index, store, folder, secret: SECRET, port, limits, prefetch: 'asked', onReady } as const;
  return runSubstituter(options, { log: memoryLog(), signal });
};

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

// Limits are looked at once a second.
test.each<[string, { readonly idle: number; readonly life: number }]>([
  ['idle', { idle: 100, life: FOREVER }],
  ['old', { idle: FOREVER, life: 100 }],
])('ends by itself when it is %s, and leaves what it counted', async (why, limits) => {
  expect((await run(limits)).why).toBe(why);
  expect(await readdir(folder)).toEqual(['statistics.json', 'wanted']);
});

test('ends at once when it was stopped before it began', async () => {
  expect((await run({ idle: FOREVER, life: FOREVER }, AbortSignal.abort())).why).toBe('stopped');
});

test.each<[string, () => Promise<number>, boolean]>([
  [
    'is not to remember what is not there at a port that was chosen, where another index may have been served',
    freePort,
    true,
  ],
  ['is to remember what is not there at a new URL', async () => 0, false],
])('Nix %s', async (_what, portOf, forgets) => {
  const stopped = new AbortController();
  let settings = '';
  const onReady = async (): Promise<void> => {
    settings = await readFile(join(folder, SUBSTITUTER_FILES.settings), 'utf8');
    stopped.abort();
  };
  await run({ idle: FOREVER, life: FOREVER }, stopped.signal, { port: await portOf(), onReady });
  expect(settings).toContain('fallback = true');
  expect(settings.includes('narinfo-cache-negative-ttl = 0')).toBe(forgets);
});
