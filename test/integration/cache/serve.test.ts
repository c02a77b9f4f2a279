// The command as a person starts it, and as steps of a workflow: processes, for it is the process that must end.
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeIndex } from '../../../src/cache/index-file.ts';
import { areSettingsObeyed } from '../../../src/nix/obeyed-settings.ts';
import { processStart } from '../../../src/storage/layout/layout-lock.ts';
import { startCli } from '../../support/cli.ts';
import { type NixUnderTest, nixVersionsUnderTest, openNixUnderTest, TEST_NIX_CONFIG } from '../../support/nix.ts';
import { startDaemon } from '../nix/daemon.ts';
import { type BuiltChain, buildChain, forgetPaths, nixEnv } from './fixture.ts';

const [OWN] = nixVersionsUnderTest() as [NixUnderTest];

let chain: BuiltChain;
let cache: string;
let folder: string;

beforeAll(async () => {
  chain = await buildChain(OWN);
  cache = await mkdtemp(join(tmpdir(), 'cache-folder-'));
  for (const [key, bytes] of chain.packs) await writeFile(join(cache, key), bytes);
  await writeFile(join(cache, 'nix-images-v1-index-1-1'), encodeIndex(chain.index));
});
afterAll(() => rm(cache, { recursive: true, force: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cache-serve-'));
  await forgetPaths(
    OWN,
    [...chain.paths].reverse().map(({ path }) => path),
  );
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Realises what the cache has; `nixConfig` is what the steps before have left. */
const realise = (nixConfig: string, more: Readonly<Record<string, string>> = {}) =>
  new Promise<{ readonly exitCode: number; readonly built: number; readonly stderr: string }>((resolve) => {
    const env = { ...nixEnv(OWN), NIX_CONFIG: `${nixConfig}\ndownload-attempts = 1\n`, HOME: folder, ...more };
    execFile('nix-store', ['--realise', chain.drvPath], { env }, (error, _out, stderr) => {
      const built = [...stderr.matchAll(/^building '/gm)].length;
      resolve({ exitCode: error === null ? 0 : Number(error.code ?? -1), built, stderr });
    });
  });

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    if (tries > 1000) throw new Error('it never came');
    await setTimeout(20);
  }
}

test('on the command line, until it is stopped', async () => {
  const state = join(folder, 'state');
  const serving = startCli(['cache', cache, '--state', state]);
  const settings = join(state, 'nix.conf');
  await until(() => existsSync(settings));
  const { exitCode, built, stderr } = await realise(`${TEST_NIX_CONFIG}!include ${settings}`);
  expect([exitCode, built], stderr).toEqual([0, 0]);
  serving.process.kill('SIGTERM');
  const end = await serving.ended;
  expect(end.stdout).toMatch(/^served 3 paths \(.*\), 9\.0 s of builds saved; 0 % of .* fetched in vain$/m);
  expect(end.stderr).toContain(`export NIX_CONFIG='!include ${settings}'`);
  expect(await readdir(state)).toEqual(['statistics.json', 'wanted']);
});

test('a taken port, and a secret that could be guessed', async () => {
  const first = startCli(['cache', cache, '--state', join(folder, 'one')]);
  const settings = join(folder, 'one/nix.conf');
  await until(() => existsSync(settings));
  const [, port = ''] = /127\.0\.0\.1:(\d+)/.exec(await readFile(settings, 'utf8')) ?? [];
  const second = await startCli(['cache', cache, '--port', port]).ended;
  expect(second.exitCode).toBe(2);
  expect(second.stderr).toContain(`cannot listen on port ${port} of 127.0.0.1: EADDRINUSE`);
  first.process.kill();
  await first.ended;
  const short = await startCli(['cache', cache], { env: { NIX_IMAGES_SECRET: 'abc/..' } }).ended;
  expect(short.stderr).toContain('the secret is not valid');
  expect(short.stderr).not.toContain('abc/..');
});

describe('as steps of a job', () => {
  /** Runs the action, or its post step, with what a runner sets. */
  async function step(word: string, env: Record<string, string> = {}) {
    const files = Object.fromEntries(
      ['GITHUB_ENV', 'GITHUB_STATE', 'GITHUB_OUTPUT', 'GITHUB_STEP_SUMMARY'].map((name) => [name, join(folder, name)]),
    );
    for (const file of Object.values(files)) await writeFile(file, '');
    const temp = join(folder, 'temp');
    await mkdir(temp, { recursive: true });
    const job = { GITHUB_RUN_ID: '1', GITHUB_JOB: 'build', GITHUB_EVENT_NAME: 'push', GITHUB_REF: 'refs/heads/main' };
    const inputs = { INPUT_CACHE: cache, INPUT_PORT: '0', 'INPUT_READ-ONLY': 'true' };
    const runner = { GITHUB_ACTIONS: 'true', RUNNER_TEMP: temp, ...job, ...inputs };
    const { exitCode, stdout, stderr } = await startCli([word], { cwd: folder, env: { ...runner, ...files, ...env } })
      .ended;
    const left = await Promise.all(['GITHUB_ENV', 'GITHUB_STATE'].map((name) => readFile(join(folder, name), 'utf8')));
    const noProxy = /^no_proxy<<(\S+)\n([\s\S]*?)\n\1$/m.exec(left[0] ?? '')?.[2];
    const [nixConfig, state] = left.map((text) => /^\w+<<(\S+)\n([\s\S]*?)\n\1$/m.exec(text)?.[2] ?? '');
    return { exitCode, log: stdout + stderr, nixConfig: nixConfig ?? '', state: state ?? '', noProxy };
  }

  const processOf = async (state: string): Promise<number> =>
    (JSON.parse(await readFile(join(state, 'process.json'), 'utf8')) as { readonly pid: number }).pid;

  const hasEnded = async (pid: number): Promise<boolean> => (await processStart(pid)) === undefined;

  test('it serves the steps that follow, and the post step ends it', async () => {
    const main = await step('--action=cache');
    expect(main.exitCode, main.log).toBe(0);
    const pid = await processOf(main.state);
    const settings = await readFile(join(main.state, 'nix.conf'), 'utf8');
    const [, secret = ''] = /127\.0\.0\.1:\d+\/(\S+)/.exec(settings) ?? [];
    expect(main.log).toContain(`::add-mask::${secret}`);
    expect(main.nixConfig).not.toContain(secret);
    expect((await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(secret)).toBe(false);
    const { exitCode, built, stderr } = await realise(main.nixConfig);
    expect([exitCode, built], stderr).toEqual([0, 0]);
    const post = await step('--post-action=cache', { STATE_folder: main.state });
    expect(post.log).toMatch(/served 3 paths .*9\.0 s of builds saved/);
    expect(await hasEnded(pid)).toBe(true);
    expect(existsSync(main.state)).toBe(false);
    // The setting is in the environment of every step that comes, and means nothing any more.
    expect(await realise(main.nixConfig)).toMatchObject({ exitCode: 0 });
  });

  test('when it dies after Nix has come to know it, what it had is built', async () => {
    const main = await step('--action=cache');
    expect(await realise(main.nixConfig)).toMatchObject({ exitCode: 0, built: 0 });
    await forgetPaths(
      OWN,
      [...chain.paths].reverse().map(({ path }) => path),
    );
    process.kill(await processOf(main.state), 'SIGKILL');
    const { exitCode, built, stderr } = await realise(main.nixConfig);
    expect([exitCode, built], stderr).toEqual([0, 3]);
    await step('--post-action=cache', { STATE_folder: main.state });
  });

  test('where everything goes through a proxy, the cache is asked itself', async () => {
    const proxy = { http_proxy: 'http://127.0.0.1:9' };
    const main = await step('--action=cache', { ...proxy, NO_PROXY: 'intranet.example' });
    expect(main.noProxy).toBe('intranet.example,127.0.0.1');
    expect(await realise(main.nixConfig, proxy)).toMatchObject({ exitCode: 0, built: 3 });
    await forgetPaths(
      OWN,
      [...chain.paths].reverse().map(({ path }) => path),
    );
    const around = { ...proxy, no_proxy: main.noProxy ?? '', XDG_CACHE_HOME: join(folder, 'fresh') };
    expect(await realise(main.nixConfig, around)).toMatchObject({ exitCode: 0, built: 0 });
    await step('--post-action=cache', { STATE_folder: main.state });
  });

  test('when it dies, what it had is built, and nothing is left behind', async () => {
    const temporary = join(folder, 'temporary');
    await mkdir(temporary);
    const main = await step('--action=cache', { TMPDIR: temporary });
    const pid = await processOf(main.state);
    process.kill(pid, 'SIGKILL');
    while (!(await hasEnded(pid))) await setTimeout(20);
    const { exitCode, built, stderr } = await realise(main.nixConfig);
    expect([exitCode, built], stderr).toEqual([0, 3]);
    const post = await step('--post-action=cache', { STATE_folder: main.state });
    expect(post.exitCode, post.log).toBe(0);
    expect(existsSync(main.state)).toBe(false);
    expect(await readdir(temporary)).toEqual([]);
  });

  test('the post step ends no other process that got the id', async () => {
    const main = await step('--action=cache');
    const pid = await processOf(main.state);
    const file = join(main.state, 'process.json');
    const innocent = startCli(['cache', cache, '--state', join(folder, 'other')]);
    await until(() => existsSync(join(folder, 'other/nix.conf')));
    process.kill(pid, 'SIGKILL');
    const { started } = JSON.parse(await readFile(file, 'utf8')) as { readonly started: string };
    await writeFile(file, JSON.stringify({ pid: innocent.process.pid, started }));
    await step('--post-action=cache', { STATE_folder: main.state });
    expect(innocent.process.exitCode).toBeNull();
    innocent.process.kill();
    await innocent.ended;
  });

  test('on a runner without a cache service one line says so, and the post step has nothing to do', async () => {
    const main = await step('--action=cache', { INPUT_CACHE: '', ACTIONS_RUNTIME_TOKEN: 'x' });
    expect(main.exitCode, main.log).toBe(0);
    expect(main.log).toBe('nothing is cached: this runner has no cache service (ACTIONS_CACHE_URL is not set)\n');
    expect([main.nixConfig, main.state]).toEqual(['', '']);
    const post = await step('--post-action=cache', { INPUT_CACHE: '' });
    expect([post.exitCode, post.log]).toEqual([0, '']);
  });

  test('where it cannot be served, the job goes on without, and the log says why', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const main = await step('--action=cache', { INPUT_PORT: String(port) });
    other.close();
    expect(main.exitCode, main.log).toBe(0);
    expect(main.log).toMatch(/the cache cannot be served: .*cannot listen on port \d+/);
    expect(main.nixConfig).toBe('');
  });
});

describe.each(nixVersionsUnderTest())('a daemon of $label', (version) => {
  test.each([
    ['that trusts nobody says so', 'nobody', false],
    ['that trusts this user takes the cache', 'root', true],
  ])('%s', async (_what, trusted, expected) => {
    const socket = join(folder, 'socket');
    const env = { ...version.env, NIX_CONFIG: `${TEST_NIX_CONFIG}trusted-users = ${trusted}\n` };
    const daemon = await startDaemon({ ...version, env }, 'local', socket);
    try {
      const nix = await openNixUnderTest(version, { env: { NIX_REMOTE: `unix://${socket}` } });
      const settings = 'extra-substituters = http://127.0.0.1:9/secret\nextra-trusted-public-keys = k-1:AAAA\n';
      expect(await areSettingsObeyed(nix, TEST_NIX_CONFIG + settings)).toBe(expected);
    } finally {
      await daemon.stop();
    }
  });
});
