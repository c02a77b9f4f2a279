import { expect, test } from 'vitest';
import { imageTestsSchema } from '../../../src/definition/image-tests.ts';
import type { findRuntime } from '../../../src/test-run/find-runtime.ts';
import { whyNotRun } from '../../../src/test-run/run-image-tests.ts';

type Tests = Parameters<typeof whyNotRun>[0];

const TESTED: Tests = { tests: imageTestsSchema.parse({ runs: {} }) };
const IN_NAMESPACE: Tests = { tests: imageTestsSchema.parse({ runs: { steps: [{}, { userNamespace: true }] } }) };
type Runtime = Awaited<ReturnType<typeof findRuntime>>;
const runtime = { label: 'docker 28' } as Runtime;
const withNamespaces = { userNamespace: [] as readonly string[] } as Runtime;
const machine = (canRun: boolean, found: typeof runtime) => ({
  canRun: async () => canRun,
  findRuntime: async () => found,
});

test.each([
  ['an image without tests', { tests: {} }, 'auto', machine(false, undefined), null],
  ['tests that are switched off', TESTED, 'none', machine(true, runtime), 'they are switched off'],
  ['another system', TESTED, 'auto', machine(false, runtime), 'this machine runs no programs for x86_64-linux'],
  ['no program', TESTED, 'auto', machine(true, undefined), 'neither podman nor docker runs containers here'],
  [
    'no user namespaces',
    IN_NAMESPACE,
    'auto',
    machine(true, runtime),
    'docker 28 gives no container a user namespace of its own, which a test needs',
  ],
  ['user namespaces', IN_NAMESPACE, 'auto', machine(true, withNamespaces), null],
  ['all that is needed', TESTED, 'auto', machine(true, runtime), null],
] as const)('whether tests can run is known before the build: %s', async (_what, definition, testWith, tools, why) => {
  expect(await whyNotRun(definition, 'x86_64-linux', testWith, tools)).toBe(why);
});
