import type { DiskToTest } from '../disk-image/build-disk.ts';
import type { Host } from '../host/host.ts';
import { NO_TEST_RUN, type TestRun } from '../test-run/test-run.ts';
import { checkTestsRan, type TestInputs } from './image-tests.ts';

/**
 * Boots a disk and runs the tests that its definition declares. Throws UserError `test` where tests are required and cannot be run.
 */
export async function runDiskTests({ definition }: DiskToTest, inputs: TestInputs, { log }: Host): Promise<TestRun> {
  const { name, system, tests } = definition;
  const notRun = inputs.testWith === 'none' ? '--test-with none' : 'this version boots no disks';
  checkTestsRan(`${name} for ${system}`, notRun, inputs);
  if (inputs.testWith !== 'none') log.warn(`${name} for ${system}: tests: not run (${notRun})`);
  return { ...NO_TEST_RUN, notRun, skipped: Object.keys(tests) };
}
