import { expect, test } from 'vitest';
import { defineCommand } from '../../../src/host/command.ts';
import { runAction } from '../../../src/host/runner.ts';

/** Prints what a program that it runs sees. */
const show = defineCommand({
  name: 'show',
  summary: 'Show.',
  inputs: {},
  outputs: { environment: 'As env prints it.' },
  async run(_inputs, host) {
    const { stdout } = await host.exec('env', []);
    return { outputs: { environment: stdout }, data: {}, text: '' };
  },
});

test('a program that a step runs sees neither inputs and tokens nor the files of the step', async () => {
  const kept: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: '/root',
    GITHUB_TOKEN: 'of the workflow',
    GITHUB_ENVIRONMENT: 'x',
    MY_INPUT_X: 'y',
  };
  const environment: Record<string, string> = {
    ...kept,
    'INPUT_PLAIN-HTTP': 'localhost',
    INPUT_TOKEN: 'secret',
    ACTIONS_RUNTIME_TOKEN: 'secret',
    ACTIONS_RUNTIME_URL: 'https://a',
    ACTIONS_RESULTS_URL: 'https://b',
    ACTIONS_CACHE_URL: 'https://c',
    GITHUB_ENV: '/env',
    GITHUB_PATH: '/path',
    GITHUB_OUTPUT: '/output',
    GITHUB_STATE: '/state',
    GITHUB_STEP_SUMMARY: '/summary',
  };
  let seen = '';
  const nothing = (): void => {};
  const toolkit = {
    debug: nothing,
    info: nothing,
    warning: nothing,
    error: nothing,
    startGroup: nothing,
    endGroup: nothing,
    setSecret: nothing,
    setOutput: (_name: string, value: string) => {
      seen = value;
    },
    exportVariable: nothing,
    summary: { addRaw: () => ({ write: async () => undefined }) },
  };
  const world = {
    argv: [],
    cwd: '/',
    environment,
    env: (name: string) => environment[name],
    stdout: { write: (_text: string, done: () => void) => done() },
    stderr: { write: nothing },
    now: () => 0,
    fetch: globalThis.fetch,
    program: new URL(import.meta.url),
    signal: new AbortController().signal,
  };
  expect(await runAction({ show: async () => show }, 'show', world, toolkit)).toBe(0);
  const lines = Object.entries(kept).map(([name, value]) => `${name}=${value}`);
  expect(seen.trim().split('\n').sort()).toEqual(lines.sort());
});
