import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ROOT } from '../../support/root.ts';
import { runProgram, uniqueTempDir } from '../../support/tools.ts';

/** Every file below `folder`, sorted. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** `git ARGS` in the checkout; gives its output. */
export async function git(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram('git', args, { cwd: ROOT });
  if (exitCode !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

/** Actions that are made of others' steps. */
export const COMPOSITES = ['setup'];

/** Names of the source's actions that run the program. */
export async function actions(): Promise<string[]> {
  const entries = await readdir(join(ROOT, 'actions'), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return names.filter((name) => !['root', 'dist', ...COMPOSITES].includes(name)).sort();
}

/** What a runner gives to a step: inputs under `with:`, and files for what the step leaves. */
export async function runStep(script: string, inputs: Readonly<Record<string, string>> = {}) {
  await using folder = await uniqueTempDir('step');
  const file = (name: string) => join(folder.path, name);
  for (const name of ['output', 'summary', 'state', 'env', 'path']) await writeFile(file(name), '');
  const given = Object.entries(inputs).map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value] as const);
  const env = {
    ...Object.fromEntries(given),
    GITHUB_ACTIONS: 'true',
    GITHUB_OUTPUT: file('output'),
    GITHUB_STEP_SUMMARY: file('summary'),
    GITHUB_STATE: file('state'),
    GITHUB_ENV: file('env'),
    GITHUB_PATH: file('path'),
    RUNNER_TEMP: folder.path,
    GITHUB_ACTION_REPOSITORY: 'org/nix-images',
    DOCKER_CONFIG: '/nonexistent',
  };
  const result = await runProgram(process.execPath, [script], { cwd: folder.path, env });
  return {
    ...result,
    output: await readFile(file('output'), 'utf8'),
    summary: await readFile(file('summary'), 'utf8'),
  };
}
