import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Exec } from '../core/exec.ts';

/** Files of a folder at most; beyond, looking at all takes longer than an evaluation. */
const MOST_FILES = 50_000;

/** Files that are looked at before requests have a turn. */
const IN_A_ROW = 500;

/** The folder of a flake on this machine. */
interface FlakeFolder {
  readonly path: string;
  /** Whether Nix reads all of it, and not what git tracks: what `path:` asks for. */
  readonly isWhole: boolean;
}

/** The folder of a flake on this machine; undefined for one that is elsewhere. */
export function flakeFolder(flake: string, cwd: string): FlakeFolder | undefined {
  const [reference = ''] = flake.split(/[?#]/, 1);
  const [, scheme, rest = ''] = /^(path:|git\+file:(?:\/\/)?)?(.*)$/.exec(reference) ?? [];
  if (scheme === undefined && !/^[./]/.test(rest)) return undefined;
  const path = scheme === undefined ? rest : decoded(rest);
  return path === undefined ? undefined : { path: resolve(cwd, path), isWhole: scheme === 'path:' };
}

/** What a URL says with `%20` and the like; undefined where it says nothing. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/**
 * Names the state of a flake's files: those that git tracks, also in submodules, and the commit, as Nix reads them, or all where git does not
 * know the folder or is not asked.
 * Size, times and inode stand for what is in them. Undefined where there are too many, or the folder cannot be read.
 */
export async function flakeFingerprint({ path, isWhole }: FlakeFolder, exec: Exec): Promise<string | undefined> {
  const tracked = isWhole ? undefined : await trackedFiles(path, exec);
  const { top, names, more } = tracked ?? { top: path, names: await filesBelow(path), more: '' };
  if (names === undefined || names.length > MOST_FILES) return undefined;
  const hash = createHash('sha256').update(more);
  for (const [at, name] of names.entries()) {
    if (at % IN_A_ROW === IN_A_ROW - 1) await setImmediate();
    const stats = lstatSync(join(top, name), { bigint: true, throwIfNoEntry: false });
    const state = stats ? [stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino, stats.mode] : [];
    hash.update(`${name}\0${state.join(' ')}\n`);
  }
  return hash.digest('hex');
}

async function trackedFiles(
  folder: string,
  exec: Exec,
): Promise<{ readonly top: string; readonly names: readonly string[]; readonly more: string } | undefined> {
  const git = async (...args: string[]): Promise<string | undefined> => {
    const result = await exec('git', ['-C', folder, ...args]).catch(() => undefined);
    return result?.exitCode === 0 ? result.stdout : undefined;
  };
  const top = (await git('rev-parse', '--show-toplevel'))?.trimEnd();
  if (top === undefined) return undefined;
  const [list, commit = ''] = await Promise.all([
    git('-C', top, 'ls-files', '-z', '--recurse-submodules'),
    git('rev-parse', '--verify', 'HEAD'),
  ]);
  return list === undefined ? undefined : { top, names: list.split('\0').filter((name) => name !== ''), more: commit };
}

async function filesBelow(folder: string): Promise<readonly string[] | undefined> {
  try {
    return (await readdir(folder, { recursive: true })).sort();
  } catch {
    return undefined;
  }
}
