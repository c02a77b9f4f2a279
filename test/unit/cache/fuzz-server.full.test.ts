import { expect, test } from 'vitest';
import { fuzzPacks, fuzzRequests } from './fuzz-server.ts';

test('10,000 requests: only what is there is served', () => fuzzRequests(10_000, 3));

test('10,000 paths of damaged packs: no wrong byte is served', async () => {
  const { served, refused } = await fuzzPacks(10_000, 4);
  expect(served).toBeGreaterThan(1000);
  expect(refused).toBeGreaterThan(1000);
});
