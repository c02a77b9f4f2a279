import { UserError } from '../core/error.ts';
import type { TestWith } from '../test-run/find-runtime.ts';
import type { BootInputs } from './disk-boots.ts';

/** How the tests of images and disks are run. */
export interface TestInputs extends BootInputs {
  readonly testWith: TestWith;
  readonly requireTests: boolean;
}

/** Throws UserError `test` where tests are required and were not run, for the reason given. */
export function checkTestsRan(
  what: string,
  notRun: string | null,
  { requireTests }: Pick<TestInputs, 'requireTests'>,
  hint = 'Install podman, set up emulation (nix-images machine --emulate SYSTEM says how), or leave out --require-tests.',
): void {
  if (notRun === null || !requireTests) return;
  throw new UserError('test', `the tests of ${what} were not run: ${notRun}`, { hint });
}
