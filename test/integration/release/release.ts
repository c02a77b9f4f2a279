import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { createGit } from '../../../scripts/assemble/git.ts';
import { withLock } from '../../fixtures/debian/lock.ts';
import { ROOT } from '../../support/cli.ts';
import { memoryTempDir, type ProgramResult, runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

/** Runs scripts/assemble.ts; gives what it printed. Throws with its message when it fails. */
export async function assemble(args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runAssemble(args);
  if (exitCode !== 0) throw new Error(`assemble ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  return stdout.trim();
}

/** The same, for failures. */
export const runAssemble = (args: readonly string[]): Promise<ProgramResult> =>
  runProgram(process.execPath, [join(ROOT, 'scripts/assemble.ts'), ...args]);

/** What no test has asked for in this time is removed. */
const UNUSED_MS = 24 * 3_600_000;

/** The release tree of the working folder, in a folder of its own. */
export async function releaseTree(): Promise<TempDir> {
  const [from, folder] = await Promise.all([assembledRelease(), memoryTempDir('release')]);
  await cp(from, folder.path, { recursive: true });
  return folder;
}

let assembled: Promise<string> | undefined;

/** A folder with the release tree of the working folder, for reading. */
export function assembledRelease(): Promise<string> {
  assembled ??= assembledOnce();
  return assembled;
}

/**
 * The same, asked for the first time in this process. An assembly takes 25 seconds of a core and several test
 * files want the same, so it is kept by what it is made of: the files of the checkout but for the tests (package-lock.json
 * among them, which the assembly compares with what is installed) and Node.
 */
async function assembledOnce(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nix-images/release');
  await mkdir(cache, { recursive: true });
  await using scratch = await uniqueTempDir('snapshot');
  const checkout = createGit(ROOT, scratch.path);
  const source = (await checkout.list(await checkout.snapshot())).filter(({ path }) => !path.startsWith('test/'));
  const key = createHash('sha256')
    .update(JSON.stringify([process.version, source]))
    .digest('hex');
  const kept = join(cache, key);
  return await withLock(join(cache, 'lock'), async () => {
    for (const name of await readdir(cache)) {
      const { mtimeMs } = await stat(join(cache, name));
      if (name !== 'lock' && Date.now() - mtimeMs > UNUSED_MS) await rm(join(cache, name), { recursive: true });
    }
    const isKept = await utimes(kept, new Date(), new Date()).then(
      () => true,
      () => false,
    );
    if (isKept) return kept;
    const draft = await mkdtemp(join(cache, 'draft-'));
    await assemble(['--out', draft]);
    await rename(draft, kept);
    return kept;
  });
}

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
