import { choice, flag } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { Definition } from '../image/definition.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { isEmulated } from '../machine/emulation.ts';
import { systemClock } from '../registry/clock.ts';
import { TEST_WITH_CHOICES, type TestWith } from '../trial/find-runtime.ts';
import type { ImageToTry } from '../trial/load-image.ts';
import { trialText } from '../trial/report.ts';
import { NOTHING_TO_TRY, type Trial } from '../trial/trial.ts';
import { tryImage } from '../trial/try-image.ts';
import { systemHere } from './wiring.ts';

/** Inputs of every command that runs the tests which images declare. */
export const testInputs = {
  testWith: choice(TEST_WITH_CHOICES, {
    description:
      'Program that runs the tests of the image (docs/definition.md): podman, or else docker, where one is there; `none` ' +
      'runs no tests and fetches no layers for them.',
    default: 'auto',
  }),
  requireTests: flag({
    description: 'Fail where the tests of the image cannot be run, for want of podman and docker or of emulation.',
  }),
} as const;

export interface TestInputs {
  readonly testWith: TestWith;
  readonly requireTests: boolean;
}

/**
 * Runs the tests of an image that was just built; one of another maker, without definition, declares none. A failed test
 * is a result. Throws UserError `test` where tests are required and cannot be run, and what `tryImage` throws.
 */
export async function runTests(
  definition: Definition | undefined,
  image: ImageToTry,
  { testWith, requireTests }: TestInputs,
  host: Host,
): Promise<Trial> {
  if (!definition) return NOTHING_TO_TRY;
  const { exec, log, signal, fetch } = host;
  const tools = { exec, log, signal, fetch, clock: systemClock, tempDir: await host.tempDir(), canRun };
  const trial = await tryImage(definition, image, testWith, tools);
  checkTried(`${definition.name} for ${image.system}`, trial.notRun, { requireTests });
  if (trial.notRun !== null && testWith !== 'none')
    log.warn(`${definition.name} for ${image.system}: ${trialText(trial)}`);
  return trial;
}

/** Throws UserError `test` where tests are required and were not run, for the reason given. */
export function checkTried(
  what: string,
  notRun: string | null,
  { requireTests }: Pick<TestInputs, 'requireTests'>,
): void {
  if (notRun === null || !requireTests) return;
  throw new UserError('test', `the tests of ${what} were not run: ${notRun}`, {
    hint: 'Install podman, register emulation (nix-images machine --emulate), or leave out --require-tests.',
  });
}

const canRun = async (system: System): Promise<boolean> => system === systemHere() || isEmulated(system);
