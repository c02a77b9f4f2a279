import { join } from 'node:path';
import { installHint } from '../boot-test/find-emulator.ts';
import { bootError } from '../boot-test/report.ts';
import { SWITCHED_OFF } from '../boot-test/run-boot-tests.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import type { DiskToTest } from '../disk-image/build-disk.ts';
import type { Host } from '../host/host.ts';
import { testRunText } from '../test-run/report.ts';
import { failedTests, NO_TEST_RUN, type TestRun } from '../test-run/test-run.ts';
import { uploadConsoles } from './consoles.ts';
import { consolesOf, runBoots, whyNoBoots } from './disk-boots.ts';
import { artifactsOf, jobOf } from './github.ts';
import { checkTestsRan, type TestInputs } from './tests-ran.ts';

/**
 * Finds out before the build whether the tests of a disk can be run, where that is required or KVM is asked for. Throws UserError `test` where they are
 * required and cannot be run, `input` where KVM runs no guests.
 */
export async function checkBootable(disk: DiskDefinition, inputs: TestInputs, host: Host): Promise<void> {
  const { bootWith, requireTests } = inputs;
  if (!requireTests && bootWith !== 'kvm') return;
  const why = inputs.testWith === 'none' ? SWITCHED_OFF : await whyNoBoots(disk, bootWith, host);
  checkTestsRan(`${disk.name} for ${disk.system}`, why, inputs, installHint(disk.system));
}

/** Where the consoles are in a job of a workflow. */
const ARTIFACTS = 'artifacts of this run';

/**
 * Boots a disk that was just made and runs the tests that its definition declares. In a job of a workflow the consoles
 * become artifacts of the run, unless they are kept in a folder. Throws UserError `test` where one fails, or tests are required and
 * cannot be run, and what `runBoots` throws.
 */
export async function runDiskTests(
  { path, size, definition }: DiskToTest,
  inputs: TestInputs,
  host: Host,
): Promise<TestRun> {
  const { name, system, tests } = definition;
  const job = await jobOf(host);
  const kept = consolesOf(inputs, host);
  const consoles = kept ?? (job && join(await host.tempDir(), `consoles-${name.replaceAll('/', '-')}-${system}`));
  const testRun: TestRun =
    inputs.testWith === 'none'
      ? { ...NO_TEST_RUN, notRun: SWITCHED_OFF, skipped: Object.keys(tests) }
      : await runBoots(definition, { path, size }, { ...inputs, consoles }, host);
  if (job && consoles !== undefined && kept === null) {
    await uploadConsoles(consoles, job, { artifacts: artifactsOf(host), log: host.log });
  }
  const told = kept ?? (job ? ARTIFACTS : null);
  if (failedTests(testRun).length > 0) throw bootError(name, testRun, { consoles: told, areOwn: true });
  checkTestsRan(`${name} for ${system}`, testRun.notRun, inputs, installHint(system));
  if (testRun.notRun !== null && testRun.notRun !== SWITCHED_OFF)
    host.log.warn(`${name} for ${system}: ${testRunText(testRun)}`);
  return testRun;
}
