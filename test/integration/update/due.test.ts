import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ResultsEmulator, startResults } from '../../emulators/results/emulator.ts';
import { runStep } from '../../support/action.ts';
import { runCli } from '../../support/cli.ts';
import { copyFlake, type FlakeCopy } from '../plan/kit.ts';

let flake: FlakeCopy;
let results: ResultsEmulator;

beforeAll(async () => {
  flake = await copyFlake('versions');
  await flake.write('versions.nix', '{ app = "1.9"; libcrypto = "3.0.15"; data = "1"; }');
  results = await startResults();
});

afterAll(async () => {
  await results?.stop();
  await flake?.remove();
});

/** Publishes as a job does, so that the image says when it was made. Two seconds: it starts a process. */
async function publish(created: string): Promise<void> {
  const { exitCode, log } = await runStep('publish', {
    ...{ results, job: { run: 7, job: 'publish', attempt: 1 }, temp: flake.path },
    with: {
      plan: 'none',
      installable: `${flake.flake}#app`,
      to: `oci:${flake.path}/app:latest`,
      created,
      reuse: 'false',
    },
    env: { GITHUB_REPOSITORY: 'org/app', GITHUB_SHA: 'c0ffee' },
  });
  expect(exitCode, log).toBe(0);
}

const due = async (...args: string[]): Promise<readonly string[]> => {
  const to = ['--to', `oci:${flake.path}/{name}:latest`];
  const { exitCode, stdout, stderr } = await runCli([
    'update',
    flake.path,
    '--images',
    'app',
    ...to,
    ...args,
    '--json',
  ]);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout).reasons;
};

test('what is published is due when it is too old, and when an advisory names what it holds; made again, it is not', async () => {
  expect(await due('--max-age', '30')).toEqual([]);

  await publish('2026-01-01T00:00:00Z');
  expect(await due()).toEqual([]);
  expect(await due('--max-age', '30')).toEqual([expect.stringMatching(/^app was made \d+ days ago$/)]);

  const advisory = (version: string) =>
    writeFile(
      `${flake.path}/advisories.json`,
      JSON.stringify([{ pname: 'libcrypto', version, affected_by: ['CVE-1'] }]),
    );
  await advisory('3.0.15');
  const found = ['--advisories', `${flake.path}/advisories.json`];
  expect(await due(...found)).toEqual(['app has libcrypto 3.0.15 (CVE-1)']);
  await advisory('3.0.14');
  expect(await due(...found)).toEqual([]);

  await publish(new Date().toISOString());
  expect(await due('--max-age', '30')).toEqual([]);
});

test('an age without a place, and advisories that are not there, are errors that say so', async () => {
  const run = async (...args: string[]) => (await runCli(['update', flake.path, ...args])).stderr;
  expect(await run('--max-age', '3')).toMatch(/max-age is given without to[\s\S]*hint: Say where/);
  const to = ['--to', `oci:${flake.path}/{name}:latest`];
  expect(await run(...to, '--advisories', 'nowhere.json')).toMatch(/cannot read .*nowhere\.json/);
});
