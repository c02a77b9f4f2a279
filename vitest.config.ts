import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import LongestFirst from './test/longest-first.ts';

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    // Truths that take minutes and hardly ever change: `npm run test:full`, which CI's schedule runs, has them too.
    exclude: mode === 'full' ? [] : ['test/**/*.full.test.ts'],
    // Integration tests start real programs (nix, podman, a registry); the slowest single step unpacks 9 GiB. What hangs is
    // found soon enough, and a machine that is five times slower than usual must not look like a fault.
    testTimeout: 240_000,
    hookTimeout: 600_000,
    env: {
      // The command line is started some thousand times from source: half of its start is reading what does not change.
      NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/node-compile'),
      // To start a program Node forks, which copies the tables of all of a worker's pages: 18 ms at 600 MB, 4 ms with large pages.
      GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    },
    setupFiles: ['test/worker-environment.ts'],
    // One more than cores: a file waits a third of its time, for programs that wait, timers and disks.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    // A process for each file would load everything anew, which is half of what unit tests take. In full mode two files may
    // take their tests from one module, which is to be run for both.
    isolate: mode === 'full',
    reporters: ['default', ['./test/count-reporter.ts', { writes: mode === 'slow-files' }]],
  },
}));
