import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FolderStore } from '../../../src/cache/folder-store.ts';
import { restorePack } from '../../../src/cache/pack-reader.ts';
import { PACK_LIMIT } from '../../../src/cache/pack-writer.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { samplePackKey } from './sample.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-restore-'));
});
afterEach(() => rm(folder, { recursive: true }));

const CONTENT = 'what is in a pack';
const PACK = {
  key: samplePackKey('one'),
  bytes: CONTENT.length,
  sha256: createHash('sha256').update(CONTENT).digest('hex'),
};

test.each<[string, string | undefined, RegExp | undefined]>([
  ['the pack of the index', CONTENT, undefined],
  ['a missing pack', undefined, /^a pack of the cache is not used, .*: nix-images-v1-pack-\S+ is gone from folder /],
  ['a pack that is cut', CONTENT.slice(1), / has 16 bytes instead of 17$/],
  ['another pack', CONTENT.toUpperCase(), / has the SHA-256 \S+ instead of \S+$/],
])('%s', async (_what, content, message) => {
  const log = memoryLog();
  const store = new FolderStore(join(folder, 'cache'), undefined, { log, clock: systemClock });
  await writeFile(join(folder, 'file'), content ?? '');
  if (content !== undefined) await store.save(PACK.key, join(folder, 'file'));
  expect(await restorePack({ store, log }, PACK, join(folder, 'out'))).toBe(message === undefined);
  expect(log.lines).toEqual(message === undefined ? [] : [expect.stringMatching(message)]);
});

test('a pack keeps the client of GitHub below 200 MB of memory', () => {
  expect(PACK_LIMIT).toBeLessThanOrEqual(64 * 1024 * 1024);
});
