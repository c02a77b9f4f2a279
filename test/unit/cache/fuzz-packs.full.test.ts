import { expect, test } from 'vitest';
import { fuzzCache } from './fuzz-packs.ts';

test('10,000 spoiled indexes and packs: no wrong byte, no crash', { timeout: 300_000 }, async () => {
  expect((await fuzzCache(10_000, 12)).served).toBeGreaterThan(1000);
});
