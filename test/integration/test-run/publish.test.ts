import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { debianPackages } from '../../fixtures/debian/generate.ts';
import { runStep, type StepResult } from '../../support/action.ts';
import { IMAGES } from '../../support/cli.ts';
import { type Lab, openLab } from '../../support/lab.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { cranePath, type ProgramResult, runProgram } from '../../support/tools.ts';
import { expectNothingLeft, PASSING, runJob } from './kit.ts';

// What tests keep from being published, and what a fan-in knows of tests that ran elsewhere.

/** Milliseconds for several builds with tests, on a machine that has other work too. */
const SEVERAL_BUILDS = 300_000;

const good = { 'says so': PASSING['says so'] };
const bad = { ...good, fails: { command: ['echo no; exit 1'] } };

let lab: Lab;
let results: ResultsEmulator;

beforeAll(async () => {
  [lab, results] = await Promise.all([openLab('testRun-publish'), startResults()]);
});

afterAll(async () => {
  try {
    await expectNothingLeft(lab.podman);
  } finally {
    await Promise.all([lab?.close(), results?.stop()]);
  }
});

const publish = (tests: object, to: readonly string[], ...more: string[]): Promise<ProgramResult> => {
  const words = [...ONLY_X86, ...to.flatMap((place) => ['--to', place]), ...more];
  return runJob({ command: 'publish', tests, words, env: lab.podman.env });
};

const tagsOf = async (name: string): Promise<readonly string[]> => {
  const answer = await fetch(`http://${lab.registry.host}/v2/${name}/tags/list`);
  return ((await answer.json()) as { tags?: string[] }).tags ?? [];
};

const digestAt = async (reference: string): Promise<string> =>
  (await runProgram(cranePath(), ['digest', '--insecure', `${lab.registry.host}/${reference}`])).stdout.trim();

describe('publish of what it builds', () => {
  test(
    'tries it first: where a test fails, no tag moves and no file appears',
    async () => {
      const app = `${lab.registry.host}/trial/app:v1`;
      const first = await publish(good, [app]);
      expect(first.exitCode, first.stderr).toBe(0);
      expect(first.stdout).toMatch(/^linux\/amd64 tests: 1 of 1 passed, with podman /m);
      const before = await digestAt('trial/app:v1');
      expect(before).toMatch(/^sha256:/);

      const others = [`${lab.registry.host}/trial/other:v1`, `docker-archive:${lab.temp.path}/app.tar`];
      const second = await publish(bad, [app, ...others]);
      expect(second.exitCode).toBe(1);
      expect(second.stderr).toContain('error: test/tested: 1 of 2 tests failed');
      expect(second.stderr).toContain('expected: exit code 0');
      expect(await digestAt('trial/app:v1')).toBe(before);
      expect(await tagsOf('trial/other')).toEqual([]);
      expect((await runProgram('ls', [join(lab.temp.path, 'app.tar')])).exitCode).not.toBe(0);
    },
    SEVERAL_BUILDS,
  );
});

describe('build jobs and a fan-in', () => {
  const step = (action: 'build' | 'publish', job: string, inputs: Record<string, string>): Promise<StepResult> => {
    const { podman, temp } = lab;
    return runStep(action, {
      results,
      job: { run: 7, job, attempt: 1 },
      temp: temp.path,
      with: inputs,
      env: podman.env,
    });
  };

  const build = async (system: string, tests: object, more: Record<string, string> = {}): Promise<StepResult> => {
    const packages = await debianPackages();
    const nixArg = ['--argstr', 'packages', packages, '--argstr', 'tests', JSON.stringify(tests)].join('\n');
    return step('build', `build-${system}`, { file: IMAGES, attr: 'tested', 'nix-arg': nixArg, system, ...more });
  };

  test(
    'a job whose tests fail leaves no artifact; its summary has the table and the failure',
    async () => {
      const failed = await build('x86_64-linux', bad);
      expect(failed.exitCode).toBe(1);
      expect(failed.outputs.handover).toBe('');
      expect(failed.summary).toMatch(/^\| fails \| \*\*failed\*\* \| \d+\.\d \|$/m);
      expect(failed.summary).toMatch(/^\| says so \| passed \| \d+\.\d \|$/m);
      expect(failed.summary).toContain('expected: exit code 0');
      expect(results.artifacts()).toEqual([]);
    },
    SEVERAL_BUILDS,
  );

  test(
    'publish tells of the tests of each, and can insist on them',
    async () => {
      const tried = await build('x86_64-linux', good, { 'require-tests': 'true' });
      expect(tried.exitCode, tried.log).toBe(0);
      expect(tried.summary).toMatch(/^tests: 1 of 1 passed, with podman /m);
      const untried = await build('aarch64-linux', good, { 'test-with': 'none' });
      expect(untried.exitCode, untried.log).toBe(0);
      expect(untried.summary).toMatch(/^tests: not run \(they are switched off\)$/m);

      const to = `${lab.registry.host}/trial/fan-in:v1`;
      const strict = await step('publish', 'publish', { to, 'require-tests': 'true' });
      expect(strict.exitCode).toBe(1);
      expect(strict.log).toMatch(
        /the tests of test\/tested for aarch64-linux, handed over in .* were not run: they are/,
      );
      expect(await tagsOf('trial/fan-in')).toEqual([]);

      const published = await step('publish', 'publish', { to });
      expect(published.exitCode, published.log).toBe(0);
      expect(published.summary).toMatch(/^linux\/amd64 tests: 1 of 1 passed, with podman /m);
      expect(published.summary).toMatch(/^linux\/arm64 tests: not run \(they are switched off\)$/m);
    },
    SEVERAL_BUILDS,
  );
});
