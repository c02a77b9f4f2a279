import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createGit } from '../../scripts/assemble/git.ts';
import { withLock } from '../fixtures/debian/lock.ts';
import { ROOT } from './root.ts';
import { memoryTempDir, type ProgramResult, runProgram, type TempDir, uniqueTempDir } from './tools.ts';

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
