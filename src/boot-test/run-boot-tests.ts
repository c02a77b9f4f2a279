import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { withFileErrors } from '../core/file-error.ts';
import type { Log } from '../core/log.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { NO_TEST_RUN, secondsText, type TestResult, type TestRun } from '../test-run/test-run.ts';
import type { DiskToBoot } from './emulator.ts';
import type { BootWith, FoundEmulator } from './find-emulator.ts';
import { type BootTools, runBootTest } from './run-boot-test.ts';

interface BootTestTools extends BootTools {
  readonly log: Log;
  /** What boots disks of the system; see `findEmulator`. */
  readonly findEmulator: () => Promise<FoundEmulator>;
  /** Folder in which each console is kept as a file; null for none. */
  readonly consoleFolder: string | null;
}

/** Why tests were not run that nobody wanted. */
export const SWITCHED_OFF = 'they are switched off';

type Tested = Pick<DiskDefinition, 'name' | 'system' | 'tests'>;

/**
 * Why the tests of a disk cannot be run on this machine; null where they can, or there are none. Known before the disk is
 * made. Throws UserError `input` where KVM was asked for and runs no guests.
 */
export async function whyNotBooted(
  { tests }: Pick<Tested, 'tests'>,
  bootWith: BootWith,
  { findEmulator }: Pick<BootTestTools, 'findEmulator'>,
): Promise<string | null> {
  if (Object.keys(tests).length === 0) return null;
  if (bootWith === 'none') return SWITCHED_OFF;
  const found = await findEmulator();
  return 'why' in found ? found.why : null;
}

/**
 * Runs the tests of a disk, one after another, each in a machine that is started anew, and says of each how it ended; or why
 * none could be run. The disk is not written to, and nothing is left but the consoles. Throws as `whyNotBooted` and
 * `runBootTest` do.
 */
export async function runBootTests(
  { name, system, tests }: Tested,
  disk: DiskToBoot,
  bootWith: BootWith,
  tools: BootTestTools,
): Promise<TestRun> {
  const { log, consoleFolder } = tools;
  const all = Object.entries(tests);
  if (all.length === 0) return NO_TEST_RUN;
  const notRun = (why: string): TestRun => ({ runtime: null, notRun: why, tests: [], skipped: Object.keys(tests) });
  if (bootWith === 'none') return notRun(SWITCHED_OFF);
  const found = await tools.findEmulator();
  if ('why' in found) return notRun(found.why);
  const { emulator } = found;
  if (consoleFolder !== null) {
    await withFileErrors(consoleFolder, 'write', () => mkdir(consoleFolder, { recursive: true }));
  }
  return log.group(`Booting ${name} for ${system} with ${emulator.label}`, async () => {
    const results: TestResult[] = [];
    for (const [test, stated] of all) {
      const consoleFile =
        consoleFolder === null ? null : resolve(consoleFolder, consoleName([name, system, test].join('-')));
      const plan = { emulator, disk: { ...disk, path: resolve(disk.path) }, consoleFile };
      const result = await runBootTest(test, stated, plan, tools);
      log.info(`${result.passed ? 'passed' : 'failed'}: ${test} (${secondsText(result.milliseconds)} s)`);
      results.push(result);
    }
    return { runtime: emulator.label, notRun: null, tests: results, skipped: [] };
  });
}

/** A name for a file, of a disk's and a test's. */
const consoleName = (words: string): string => `${words.replace(/[^\w.-]+/g, '-')}.console.txt`;
