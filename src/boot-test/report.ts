import type { UserError } from '../core/error.ts';
import { testError } from '../test-run/report.ts';
import type { TestRun } from '../test-run/test-run.ts';

/** The error for a disk whose tests failed; `consoles` is where its consoles were kept, in words; null where they were not. */
export function bootError(name: string, run: TestRun, consoles: string | null): UserError {
  const where = consoles === null ? 'With --consoles FOLDER each is kept as a file.' : `They are in ${consoles}.`;
  return testError(name, run, {
    hint: `What is shown is the end of each console. ${where} --boot-with none leaves the tests of disks out.`,
    docs: 'disks.md',
  });
}
