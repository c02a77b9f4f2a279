import { describe, expect, test, vi } from 'vitest';
import { childEnvironment } from '../../../src/host/child-environment.ts';
import { defineCommand } from '../../../src/host/command.ts';
import { createExec, execOfProcess } from '../../../src/host/exec.ts';
import { runAction } from '../../../src/host/runner.ts';

/** What no program may see, whoever starts it. */
const SECRETS = {
  'INPUT_PLAIN-HTTP': 'localhost',
  INPUT_TOKEN: 'secret',
  NIX_IMAGES_PASSWORD: 'secret',
  GITHUB_TOKEN: 'secret',
  GH_TOKEN: 'secret',
  ACTIONS_RUNTIME_TOKEN: 'secret',
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret',
  ACTIONS_RESULTS_URL: 'https://b',
  GITHUB_ENV: '/env',
  GITHUB_PATH: '/path',
  GITHUB_OUTPUT: '/output',
  GITHUB_STATE: '/state',
  GITHUB_STEP_SUMMARY: '/summary',
  DATABASE_URL: 'secret',
};

const PLAIN = { PATH: '/bin', TMPDIR: '/t', LANG: 'C', LC_ALL: 'C', TZ: 'UTC' };
const USER = { HOME: '/h', USER: 'u', XDG_RUNTIME_DIR: '/run', TERM: 'xterm' };
const NETWORK = { https_proxy: 'p', NO_PROXY: 'n', SSL_CERT_FILE: '/c', CURL_CA_BUNDLE: '/c' };
const OWN = {
  NIX_CONFIG: 'a',
  NIX_PATH: 'b',
  NIX_SSL_CERT_FILE: '/c',
  SSH_AUTH_SOCK: '/s',
  GIT_SSH_COMMAND: 'ssh',
  DOCKER_CONFIG: '/d',
  CONTAINERS_STORAGE_CONF: '/e',
  REGISTRY_AUTH_FILE: '/r',
  AWS_PROFILE: 'w',
  GOOGLE_APPLICATION_CREDENTIALS: '/g',
  AZURE_CLIENT_ID: 'z',
};
const everything = { ...SECRETS, ...PLAIN, ...USER, ...NETWORK, ...OWN };

const own = (...names: (keyof typeof OWN)[]) => Object.fromEntries(names.map((name) => [name, OWN[name]]));

const NIX = own('NIX_CONFIG', 'NIX_PATH', 'NIX_SSL_CERT_FILE', 'SSH_AUTH_SOCK', 'GIT_SSH_COMMAND', 'AWS_PROFILE');

describe('what a program sees', () => {
  test.each<[string, Record<string, string>]>([
    ['nix', { ...NETWORK, ...NIX }],
    ['/nix/bin/nix-store', { ...NETWORK, ...NIX }],
    ['git', { ...NETWORK, ...own('SSH_AUTH_SOCK', 'GIT_SSH_COMMAND') }],
    [
      'podman',
      { ...NETWORK, ...own('DOCKER_CONFIG', 'CONTAINERS_STORAGE_CONF', 'REGISTRY_AUTH_FILE', 'SSH_AUTH_SOCK') },
    ],
    [
      'docker-credential-ecr-login',
      {
        ...NETWORK,
        ...own('DOCKER_CONFIG', 'REGISTRY_AUTH_FILE', 'SSH_AUTH_SOCK', 'AWS_PROFILE', 'AZURE_CLIENT_ID'),
        ...own('GOOGLE_APPLICATION_CREDENTIALS'),
      },
    ],
    ['igzip', {}],
    ['pigz', {}],
    ['sudo', {}],
    ['/nix/store/x-docker-credential/bin/else', {}],
  ])('%s', (program, more) => {
    expect(childEnvironment(everything, { program, isolated: false })).toEqual({ ...PLAIN, ...USER, ...more });
  });

  test('a stranger sees no home, and nothing that the user keeps', () => {
    const kept = { ...everything, NIX_IMAGES_KEEP_ENV: 'DATABASE_URL HOME' };
    expect(childEnvironment(kept, { program: 'nix', isolated: true })).toEqual(PLAIN);
  });
});

describe('NIX_IMAGES_KEEP_ENV', () => {
  test('names more, each with a star if wanted', () => {
    const kept = { NIX_IMAGES_KEEP_ENV: 'GH_TOKEN, CI_*', GH_TOKEN: 'x', CI_JOB: '1', CI: 'true' };
    expect(childEnvironment(kept, { program: 'nix', isolated: false })).toEqual({ GH_TOKEN: 'x', CI_JOB: '1' });
  });

  test.each(['INPUT_TOKEN', 'ACTIONS_*', 'GITHUB_ENV', 'NIX_IMAGES_PASSWORD', '*', 'a-b'])('refuses %s', (name) => {
    const kept = { NIX_IMAGES_KEEP_ENV: name };
    expect(() => childEnvironment(kept, { program: 'nix', isolated: false })).toThrow(`names "${name}"`);
  });

  test('a wide name does not reach what belongs to the runner', () => {
    const kept = { ...SECRETS, NIX_IMAGES_KEEP_ENV: 'GITHUB_*' };
    expect(childEnvironment(kept, { program: 'nix', isolated: false })).toEqual({ GITHUB_TOKEN: 'secret' });
  });
});

const parse = (printed: string): Record<string, string> =>
  Object.fromEntries(printed.split('\n').flatMap((line) => (line.includes('=') ? [line.split('=', 2)] : [])));

describe('every way in which programs are started', () => {
  const here = { ...everything, PATH: process.env.PATH ?? '' };
  const seen = { ...PLAIN, ...USER, PATH: here.PATH };

  test('by the command line and by actions', async () => {
    const exec = createExec({ env: here, signal: new AbortController().signal });
    expect(parse((await exec('env', [])).stdout)).toEqual(seen);
    expect(parse((await exec('env', [], { env: { HOME: '/x' }, isolated: true })).stdout)).toEqual({
      ...PLAIN,
      PATH: here.PATH,
      HOME: '/x',
    });
  });

  test('on a thread of a layer', async () => {
    for (const [name, value] of Object.entries(here)) vi.stubEnv(name, value);
    const { stdout } = await execOfProcess(new AbortController().signal)('env', []);
    vi.unstubAllEnvs();
    const names = Object.keys(parse(stdout));
    expect(names).toEqual(expect.arrayContaining(Object.keys(seen)));
    expect(names.filter((name) => name in SECRETS)).toEqual([]);
  });
});

test('a step of a workflow passes nothing on either', async () => {
  const environment: Record<string, string> = { ...everything, PATH: process.env.PATH ?? '' };
  let printed = '';
  const show = defineCommand({
    name: 'show',
    summary: 'Show.',
    inputs: {},
    outputs: {},
    async run(_inputs, host) {
      printed = (await host.exec('env', [])).stdout;
    },
    present: () => ({ outputs: {}, data: {}, text: '' }),
  });
  const nothing = (): void => {};
  const toolkit = {
    debug: nothing,
    info: nothing,
    warning: nothing,
    error: nothing,
    startGroup: nothing,
    endGroup: nothing,
    setSecret: nothing,
    setOutput: nothing,
    exportVariable: nothing,
    saveState: nothing,
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
  expect(await runAction({ show: async () => show }, { name: 'show', isPost: false }, world, toolkit)).toBe(0);
  expect(parse(printed)).toEqual({ ...PLAIN, ...USER, PATH: environment.PATH });
});
