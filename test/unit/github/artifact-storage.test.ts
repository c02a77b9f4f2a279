import { expect, test } from 'vitest';
import { storageWarning } from '../../../src/github/artifact-storage.ts';

const large = { bytes: 180_000_000, systems: 2, days: 1, isPrivate: true };

test('a large handover of a private repository is told of, with what every run keeps and for how long', () => {
  expect(storageWarning(large)).toBe(
    "each run keeps about 360.0 MB of this image in the account's storage for artifacts, for 1 day; it has 500.0 MB on GitHub's Free plan, and is counted again " +
      'every 6 to 12 hours only. With `to` and a login here, the layers go to the registry instead',
  );
  expect(storageWarning({ ...large, days: 30 })).toContain('for 30 days');
  expect(storageWarning({ ...large, isPrivate: undefined })).toMatch(/^in a private repository each run keeps/);
});

test.each([
  ['a public repository', { isPrivate: false }],
  ['a small image', { bytes: 60_000_000 }],
  ['a large image for one system', { bytes: 120_000_000, systems: 1 }],
])('nothing is said of %s', (_, change) => {
  expect(storageWarning({ ...large, ...change })).toBeUndefined();
});
