import { mkdir, writeFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { readLockFiles } from '../../../src/commands/lock-files.ts';
import { closeUpdatePull } from '../../../src/commands/update-close.ts';
import { openUpdatePull, pullTarget } from '../../../src/commands/update-pull.ts';
import { openRepositoryApi } from '../../../src/github/rest/repository-api.ts';
import { createExec } from '../../../src/host/exec.ts';
import { readLock } from '../../../src/update/lock.ts';
import { lockChanges } from '../../../src/update/lock-change.ts';
import { GitRepository } from '../../emulators/github/git-repository.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { flakeLock } from '../../unit/update/kit.ts';
import { plainFetch } from '../github/cache/kit.ts';
import { git, onGitHub } from './kit.ts';

/** The branch of updates. */
export const BRANCH = 'nix-images/update';
const INPUTS = { base: undefined, branch: BRANCH, labels: ['dependencies'], autoMerge: 'none' } as const;
const FIRST = flakeLock({ nixpkgs: { rev: '1'.repeat(40), time: 1 } });

type Modes = Parameters<typeof onGitHub>[1];
type Inputs = Omit<Parameters<typeof openUpdatePull>[2], 'githubToken'>;

/** A bare repository and a clone of it, without Nix, and an update of it to a commit of nixpkgs. */
export async function scene(modes: Modes = {}) {
  const root = await uniqueTempDir('pull');
  onTestFinished(() => root.remove());
  const [bare, clone] = [`${root.path}/origin.git`, `${root.path}/clone`];
  await git(root.path, ['init', '--quiet', '--bare', '--initial-branch=main', bare]);
  await git(root.path, ['clone', '--quiet', bare, clone]);
  // In a folder of the repository, as flakes sometimes are.
  const at = `${clone}/nix`;
  await mkdir(at);
  await writeFile(`${clone}/README.md`, 'first\n');
  await writeFile(`${at}/flake.nix`, '{ }\n');
  await writeFile(`${at}/flake.lock`, FIRST);
  const push = async (message: string, branch = 'main', login = 'human') => {
    await git(clone, ['add', '--all'], login);
    await git(clone, ['commit', '--quiet', '--message', message], login);
    await git(clone, ['push', '--quiet', 'origin', `HEAD:refs/heads/${branch}`]);
  };
  await push('Begin');
  const origin = new GitRepository(bare);
  const { github, pulls } = await onGitHub({ origin }, modes);
  const log = memoryLog();
  const signal = new AbortController().signal;
  /** Where pull requests are opened, and what with. */
  const ready = async (more: Partial<Inputs>) => {
    const env: Record<string, string> = { GITHUB_API_URL: github.url, GITHUB_REPOSITORY: 'org/app' };
    const host = {
      env: (name: string) => env[name],
      log,
      signal,
      fetch: plainFetch,
      exec: createExec({ env: process.env, signal }),
    };
    const inputs = { ...INPUTS, ...more, githubToken: github.token };
    const locks = await readLockFiles(at);
    const target = await pullTarget(at, locks, inputs, host as never);
    // GitHub's seconds between two changes are short here.
    const api = await openRepositoryApi({
      url: github.url,
      token: github.token,
      repository: 'org/app',
      fetch: plainFetch,
      log,
      signal,
      second: 1,
    });
    return { inputs, target: { ...target, api } };
  };
  /** The update changes no image, whatever it writes. */
  const close = async (...files: string[]) => {
    const { inputs, target } = await ready({});
    return await closeUpdatePull(target, { files }, inputs);
  };
  const update = async (rev: string, more: Partial<Inputs> = {}) => {
    const { inputs, target } = await ready(more);
    const text = flakeLock({ nixpkgs: { rev: rev.repeat(40), time: Number(rev) } });
    const [old, now] = [FIRST, text].map((lock) => readLock('flake', lock, 'flake.lock'));
    const report = { files: [{ name: 'flake.lock', text }], changes: lockChanges(old ?? [], now ?? []), images: [] };
    return await openUpdatePull(target, report, inputs);
  };
  return { clone, origin, github, pulls, log, push, update, close };
}
