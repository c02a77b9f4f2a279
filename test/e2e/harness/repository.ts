import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runProgram } from '../../support/tools.ts';

/** Nobody's settings, and people and dates that are the same everywhere. */
const IDENTITY = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.org',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.org',
};

/** `git ARGS` in `folder`; gives its output, throws what it said when it fails. */
export async function git(folder: string, ...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('git', args, { cwd: folder, env: IDENTITY });
  if (exitCode !== 0) throw new Error(`git ${args.join(' ')} in ${folder}: ${stderr}`);
  return stdout.trim();
}

/** Writes files, given by their paths below `folder`. */
export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** Makes `folder` a repository with everything in it committed; `slug` is where it says it comes from. */
export async function commitAll(folder: string, slug: string): Promise<void> {
  await git(folder, 'init', '--quiet', '--initial-branch', 'main');
  await git(folder, 'remote', 'add', 'origin', `https://github.com/${slug}.git`);
  await git(folder, 'add', '--all', '--force');
  await git(folder, 'commit', '--quiet', '--allow-empty', '--message', 'Everything');
}
