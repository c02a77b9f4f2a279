import { systemClock } from '../core/clock.ts';
import type { Definition } from '../definition/definition.ts';
import { choice, flag } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { isEmulated } from '../machine/emulation.ts';
import type { EvaluatedAny } from '../nix/found-image.ts';
import type { System } from '../oci/system.ts';
import { findRuntime, TEST_WITH_CHOICES, type TestWith } from '../test-run/find-runtime.ts';
import type { ImageToTest } from '../test-run/load-image.ts';
import { testRunText } from '../test-run/report.ts';
import { runImageTests, whyNotRun } from '../test-run/run-image-tests.ts';
import type { Runtime } from '../test-run/runtime.ts';
import type { TestRun } from '../test-run/test-run.ts';
import { bootInputs } from './disk-boots.ts';
import { checkBootable } from './disk-tests.ts';
import { systemHere } from './system-here.ts';
import { checkTestsRan, type TestInputs } from './tests-ran.ts';

/** Inputs of every command that runs the tests which images declare. */
export const testInputs = {
  testWith: choice(TEST_WITH_CHOICES, {
    description:
      'Program that runs the tests of the image (docs/tests.md): podman, or else docker, where one is there; `none` ' +
      'runs no tests and fetches no layers for them.',
    default: 'auto',
  }),
  requireTests: flag({
    description:
      'Fail where the tests of the image cannot be run, for want of podman and docker or of emulation; for a disk, of QEMU ' +
      'or firmware.',
  }),
  ...bootInputs,
} as const;

/**
 * Runs the tests of an image that was just built. A failed test is a result. Throws UserError `test` where tests are
 * required and cannot be run, and what `runImageTests` throws.
 */
export async function runTests(
  definition: Definition,
  image: ImageToTest,
  { testWith, requireTests }: TestInputs,
  host: Host,
): Promise<TestRun> {
  const { exec, log, signal, fetch } = host;
  const find = (): Promise<Runtime | undefined> => runtimeOf(host, testWith);
  const clock = systemClock;
  const tools = { exec, log, signal, fetch, clock, tempDir: await host.tempDir(), canRun, findRuntime: find };
  const testRun = await runImageTests(definition, image, testWith, tools);
  checkTestsRan(`${definition.name} for ${image.system}`, testRun.notRun, { requireTests });
  if (testRun.notRun !== null && testWith !== 'none')
    log.warn(`${definition.name} for ${image.system}: ${testRunText(testRun)}`);
  return testRun;
}

/**
 * Finds out before the build whether the tests of an image can be run, where that is required or a program is named for it.
 * Throws UserError `test` where they are required and cannot be run, `input` where the program is not there.
 */
export async function checkTestable(
  evaluated: EvaluatedAny,
  { testWith, requireTests, ...boots }: TestInputs,
  host: Host,
): Promise<void> {
  if (evaluated.kind === 'disk') return checkBootable(evaluated.disk, { testWith, requireTests, ...boots }, host);
  if (evaluated.kind !== 'definition') return;
  const { definition, system } = evaluated;
  if (!requireTests && (testWith === 'auto' || testWith === 'none')) return;
  const tools = { canRun, findRuntime: () => runtimeOf(host, testWith) };
  checkTestsRan(`${definition.name} for ${system}`, await whyNotRun(definition, system, testWith, tools), {
    requireTests,
  });
}

/** Whether an image or a disk declares tests; those of other tools declare none. */
export function declaresTests(evaluated: EvaluatedAny): boolean {
  const tests = evaluated.kind === 'definition' ? evaluated.definition.tests : {};
  return Object.keys(evaluated.kind === 'disk' ? evaluated.disk.tests : tests).length > 0;
}

/** Looked for once in a run: an empty container is started to see whether the program works. */
const runtimes = new WeakMap<Host, Promise<Runtime | undefined>>();

async function runtimeOf(host: Host, testWith: TestWith): Promise<Runtime | undefined> {
  if (testWith === 'none') return undefined;
  const found = runtimes.get(host) ?? findRuntime(testWith, host.exec, host.log);
  runtimes.set(host, found);
  return found;
}

const canRun = async (system: System): Promise<boolean> => system === systemHere() || isEmulated(system);
