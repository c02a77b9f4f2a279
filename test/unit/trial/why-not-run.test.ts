import { expect, test } from 'vitest';
import type { findRuntime } from '../../../src/trial/find-runtime.ts';
import { whyNotRun } from '../../../src/trial/try-image.ts';

type Tests = Parameters<typeof whyNotRun>[0];

const TESTED = { tests: { runs: {} } } as unknown as Tests;
const runtime = {} as Awaited<ReturnType<typeof findRuntime>>;
const machine = (canRun: boolean, found: typeof runtime) => ({
  canRun: async () => canRun,
  findRuntime: async () => found,
});

test.each([
  ['an image without tests', { tests: {} }, 'auto', machine(false, undefined), null],
  ['tests that are switched off', TESTED, 'none', machine(true, runtime), 'they are switched off'],
  ['another system', TESTED, 'auto', machine(false, runtime), 'this machine runs no programs for x86_64-linux'],
  ['no program', TESTED, 'auto', machine(true, undefined), 'neither podman nor docker runs containers here'],
  ['all that is needed', TESTED, 'auto', machine(true, runtime), null],
] as const)('whether tests can run is known before the build: %s', async (_what, definition, testWith, tools, why) => {
  expect(await whyNotRun(definition, 'x86_64-linux', testWith, tools)).toBe(why);
});
