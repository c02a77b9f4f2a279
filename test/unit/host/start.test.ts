import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const fileOf = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const PROGRAM = fileOf('./program.ts');
const MAIN = fileOf('../../../src/main.ts');

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nix-images-start-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly env?: Record<string, string>;
  readonly onStderr?: (text: string, pid: number) => void;
}

/** A fresh environment, so that a run on a runner or with secrets set behaves as everywhere. */
const runNode = (program: string, args: readonly string[], { env = {}, onStderr }: Options = {}): Promise<Ended> =>
  new Promise((done, failed) => {
    const child = spawn(process.execPath, [program, ...args], {
      env: { PATH: process.env.PATH, HOME: folder, TMPDIR: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      if (child.pid !== undefined) onStderr?.(stderr, child.pid);
    });
    child.on('error', failed);
    child.on('close', (code) => done({ code, stdout, stderr }));
  });

describe('exit codes', () => {
  test.each<[number, string[], string]>([
    [0, ['--help'], ''],
    [0, ['everything', '--help'], ''],
    [0, ['--version'], ''],
    [0, ['everything', 'a'], 'token none\n'],
    [1, ['failing', 'mendable'], 'error: the registry refused\ncause: connection refused\n'],
    [1, ['failing', 'bug'], 'bug: TypeError: x is not a function\n'],
    [1, ['failing', 'full-disk'], 'error: ENOSPC: no space left on device, write\nhint: Free some space'],
    [2, [], 'Build OCI images'],
    [2, ['evrything'], 'error: unknown command "evrything". Did you mean everything?\nhint: '],
    [2, ['toString'], 'error: unknown command "toString".\n'],
    [2, ['--json', 'everything'], 'error: --json must come after the command\n'],
    [2, ['everything'], 'error: INSTALLABLE is missing\n'],
    [2, ['everything', 'a', '--to', 'a b'], 'error: --to: must not contain spaces\nhint: Remove them.\n'],
    [2, ['everything', 'a', '--registry-token-file', '/nothing/such'], 'error: NIX_IMAGES_REGISTRY_TOKEN or'],
    [2, ['failing', 'usage'], 'error: --to and --out exclude each other\n'],
  ])('%i for %j', async (code, args, stderr) => {
    const ended = await runNode(PROGRAM, args);
    expect(ended.code).toBe(code);
    expect(ended.stderr.slice(0, stderr.length)).toBe(stderr);
    expect(ended.stdout === '').toBe(code !== 0);
  });
});

test('src/main.ts is the program', async () => {
  const { version } = JSON.parse(await readFile(fileOf('../../../package.json'), 'utf8'));
  expect(await runNode(MAIN, ['--version'])).toEqual({ code: 0, stdout: `nix-images ${version}\n`, stderr: '' });
});

test('--json prints data alone on standard output', async () => {
  const { stdout } = await runNode(PROGRAM, ['everything', 'a', '--json', '--tag', 'x']);
  expect(JSON.parse(stdout)).toMatchObject({ installable: 'a', tag: ['x'], kind: 'terminal' });
});

test('secrets come from the environment or from a file, which goes first, and are hidden', async () => {
  const file = join(folder, 'token');
  await writeFile(file, 'from-file\n');
  const env = { NIX_IMAGES_REGISTRY_TOKEN: 'from-environment' };
  expect((await runNode(PROGRAM, ['everything', 'from-environment'], { env })).stdout).toBe('built ***\n');
  const both = await runNode(PROGRAM, ['everything', 'from-file', '--registry-token-file', file], { env });
  expect([both.stdout, both.stderr]).toEqual(['built ***\n', 'token ***\n']);
});

test('Ctrl-C ends children, removes temporary folders, and exits with 130', async () => {
  let place = '';
  const ended = await runNode(PROGRAM, ['waiting'], {
    onStderr: (text, pid) => {
      const [, found = ''] = /waiting in (\S+)\n/.exec(text) ?? [];
      if (found === '' || place !== '') return;
      place = found;
      process.kill(pid, 'SIGINT');
    },
  });
  expect(ended.code).toBe(130);
  expect(ended.stderr).toContain('error: ');
  expect(place).not.toBe('');
  expect(existsSync(place)).toBe(false);
});

test("an action's entry runs the same command with the real toolkit", async () => {
  const [output, summary] = [join(folder, 'output'), join(folder, 'summary')];
  await Promise.all([writeFile(output, ''), writeFile(summary, '')]);
  const env = {
    GITHUB_ACTIONS: 'true',
    GITHUB_OUTPUT: output,
    GITHUB_STEP_SUMMARY: summary,
    INPUT_INSTALLABLE: '.#a',
    'INPUT_REGISTRY-TOKEN': 'hunter2',
  };
  const ended = await runNode(PROGRAM, ['--action=everything'], { env });
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(ended.stdout).toBe('::add-mask::hunter2\n::debug::details 6\ntoken ***\nbuilt .#a\n');
  expect(await readFile(output, 'utf8')).toMatch(/^index-digest<<(\S+)\nsha256:abc\n\1\n$/);
  expect(await readFile(summary, 'utf8')).toBe('# built .#a\n\n');
  const failed = await runNode(PROGRAM, ['--action=failing'], { env: { ...env, INPUT_HOW: 'mendable' } });
  expect(failed.code).toBe(1);
  expect(failed.stdout).toBe(
    '::error title=nix-images failing::the registry refused%0Acause: connection refused%0Acause: port closed%0Ahint: Log in.%0ASee docs/registries.md#logins\n',
  );
});
