import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Integration tests start real programs (nix, podman, a registry); the slowest single step unpacks 9 GiB.
    testTimeout: 60_000,
    hookTimeout: 300_000,
    // Real builds share two cores; more workers than that only make time-outs likelier.
    maxWorkers: 2,
    reporters: ['default', './test/count-reporter.ts'],
  },
});
