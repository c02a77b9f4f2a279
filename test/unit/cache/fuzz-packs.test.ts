import { expect, test } from 'vitest';
import { fuzzCache } from './fuzz-packs.ts';

test('300 spoiled indexes and packs: no wrong byte, no crash; all 10,000 are in fuzz-packs.full', async () => {
  // Some paths of a spoiled cache are whole, and those are served.
  expect((await fuzzCache(300, 11)).served).toBeGreaterThan(100);
});
