import type { UserError } from '../core/error.ts';
import { testError } from '../test-run/report.ts';
import type { TestRun } from '../test-run/test-run.ts';

interface BootRun {
  /** Where the consoles were kept, in words; null where they were not. */
  readonly consoles: string | null;
  /** Whether the tests are the disk's own, which a build runs and can leave out. */
  readonly areOwn: boolean;
}

/** The error for a disk whose tests failed. */
export function bootError(name: string, run: TestRun, { consoles, areOwn }: BootRun): UserError {
  const where = consoles === null ? 'With --consoles FOLDER each is kept as a file.' : `They are in ${consoles}.`;
  return testError(name, run, {
    hint: `What is shown is the end of each console. ${where}${areOwn ? ' --boot-with none leaves the tests of disks out.' : ''}`,
    docs: 'disks.md#tests',
  });
}
