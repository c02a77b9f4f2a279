import { expect, test } from 'vitest';
import { threadCount } from '../../../src/layer/thread-count.ts';

const GIB = 1024 ** 3;

test.each([
  // Cores, memory in GiB, threads.
  [1, 16, 1],
  [2, 7, 2],
  [16, 64, 16],
  [64, 256, 16],
  // Half of it is 704 MiB: 110 and 16 times 35 fit.
  [16, 1.375, 16],
  [16, 1, 11],
  [16, 0.75, 7],
  // Four there are in any container.
  [16, 0.25, 4],
  [2, 0.25, 2],
])('%i cores and %d GiB: %i threads', (cores, memory, threads) => {
  expect(threadCount({ cores, memory: memory * GIB, stated: undefined })).toBe(threads);
});

test('what is stated counts, whatever the machine has', () => {
  expect(threadCount({ cores: 2, memory: GIB, stated: '16' })).toBe(16);
  expect(threadCount({ cores: 16, memory: 64 * GIB, stated: '1' })).toBe(1);
});

test.each(['0', '17', '-1', '4.5', 'all', '100'])('%s threads cannot be', (stated) => {
  expect(() => threadCount({ cores: 2, memory: GIB, stated })).toThrow(
    expect.objectContaining({
      code: 'input',
      message: `NIX_IMAGES_THREADS is not a valid number of threads: ${stated}`,
    }),
  );
});
