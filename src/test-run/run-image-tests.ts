import { randomUUID } from 'node:crypto';
import type { Effects } from '../core/effects.ts';
import type { Definition } from '../definition/definition.ts';
import { stepsOf } from '../definition/image-tests.ts';
import { platformOf, type System } from '../oci/system.ts';
import type { PortTools } from './ask-port.ts';
import { volumeName } from './container-args.ts';
import type { TestWith } from './find-runtime.ts';
import { type ImageToTest, withLoadedImage } from './load-image.ts';
import { runTest } from './run-test.ts';
import { type Runtime, removeVolume } from './runtime.ts';
import { NO_TEST_RUN, secondsText, type TestResult, type TestRun } from './test-run.ts';

interface TestTools extends PortTools, Pick<Effects, 'exec' | 'log' | 'signal' | 'tempDir'> {
  /** Whether programs for a system run on this machine, by emulation or not. */
  readonly canRun: (system: System) => Promise<boolean>;
  /** The program that runs the tests; see `findRuntime`. */
  readonly findRuntime: () => Promise<Runtime | undefined>;
}

/**
 * Why the tests of an image cannot be run on this machine; null where they can, or there are none. Known before the image
 * is built. Throws UserError `input` where the program asked for is not there.
 */
export async function whyNotRun(
  { tests }: Pick<Definition, 'tests'>,
  system: System,
  testWith: TestWith,
  { canRun, findRuntime }: Pick<TestTools, 'canRun' | 'findRuntime'>,
): Promise<string | null> {
  if (Object.keys(tests).length === 0) return null;
  if (testWith === 'none') return 'they are switched off';
  if (!(await canRun(system))) return `this machine runs no programs for ${system}`;
  const runtime = await findRuntime();
  if (!runtime) return 'neither podman nor docker runs containers here';
  const inNamespace = allSteps(tests).some(({ userNamespace }) => userNamespace);
  if (!inNamespace || runtime.userNamespace) return null;
  return `${runtime.label} gives no container a user namespace of its own, which a test needs`;
}

const allSteps = (tests: Definition['tests']) => Object.values(tests).flatMap(stepsOf);

/**
 * Runs the tests of an image, one after another, and says of each how it ended; or why none could be run. Nothing is left
 * of it: neither containers nor the image. Throws UserError `input` where the program asked for is not there, `test` where
 * it fails.
 */
export async function runImageTests(
  { name, tests, config }: Definition,
  image: ImageToTest,
  testWith: TestWith,
  tools: TestTools,
): Promise<TestRun> {
  const { log, tempDir } = tools;
  const all = Object.entries(tests);
  const notRun = (why: string): TestRun => ({ runtime: null, notRun: why, tests: [], skipped: Object.keys(tests) });
  if (all.length === 0) return NO_TEST_RUN;
  const why = await whyNotRun({ tests }, image.system, testWith, tools);
  const runtime = why === null ? await tools.findRuntime() : undefined;
  if (!runtime) return notRun(why ?? 'no program runs containers here');
  return log.group(`Testing ${name} for ${image.system} with ${runtime.label}`, () =>
    withLoadedImage(runtime, image, tempDir, async (loaded) => {
      const results: TestResult[] = [];
      const target = {
        name: loaded,
        platform: platformOf(image.system),
        config,
        volumes: `nix-images-test-${randomUUID()}`,
      };
      try {
        for (const [test, stated] of all) {
          const result = await runTest(test, stated, target, { ...tools, runtime });
          log.info(`${result.passed ? 'passed' : 'failed'}: ${test} (${secondsText(result.milliseconds)} s)`);
          results.push(result);
        }
      } finally {
        await removeVolumes(runtime, target.volumes, tests);
      }
      return { runtime: runtime.label, notRun: null, tests: results, skipped: [] };
    }),
  );
}

async function removeVolumes(runtime: Runtime, prefix: string, tests: Definition['tests']): Promise<void> {
  const names = allSteps(tests).flatMap(({ volumes }) => Object.values(volumes).map(({ name }) => name));
  for (const name of new Set(names)) await removeVolume(runtime, volumeName(prefix, name));
}
