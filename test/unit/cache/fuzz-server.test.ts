import { expect, test } from 'vitest';
import { fuzzPacks, fuzzRequests } from './fuzz-server.ts';

// A twentieth of what fuzz-server.full.test.ts does.
test('whatever is asked, only what is there is served', () => fuzzRequests(500, 1));

test('whatever is in the packs, no wrong byte is served', async () => {
  const { served, refused } = await fuzzPacks(500, 2);
  expect(served).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});
