import { lstat, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import type { FreeSpace } from '../core/free-space.ts';
import { sizeText } from '../core/size.ts';

/**
 * Folders of GitHub's own runner images that no build of an image reads, the largest first: compilers, SDKs and browsers.
 * Nothing else is ever removed.
 */
export const PREINSTALLED = [
  '/usr/local/lib/android',
  '/usr/share/dotnet',
  '/usr/local/.ghcup',
  '/opt/ghc',
  '/opt/hostedtoolcache/CodeQL',
  '/usr/share/swift',
  '/opt/microsoft',
  '/opt/google',
  '/usr/local/share/powershell',
  '/usr/local/share/boost',
] as const;

/** The path, or the nearest folder above it that is there. */
async function nearestThere(path: string): Promise<string> {
  if (path === dirname(path)) return path;
  return await stat(path).then(
    () => path,
    () => nearestThere(dirname(path)),
  );
}

/** What a user may still write where `path` is, or will be: the file system's free bytes without those that are kept for root. */
export const freeBytes: FreeSpace = async (path) => {
  const { bavail, bsize } = await statfs(await nearestThere(path));
  return bavail * bsize;
};

interface Space {
  /** The folder that needs room. */
  readonly folder: string;
  /** Bytes that should be free. */
  readonly wanted: number;
  /** What may go, in this order; none on a machine that is somebody's own. */
  readonly candidates: readonly string[];
}

interface Tools extends Pick<Effects, 'exec' | 'log'> {
  readonly free: FreeSpace;
  /** What runs `rm` as root: empty for root, `sudo -n` elsewhere. */
  readonly asRoot: readonly string[];
}

/**
 * Measures, and only where there is too little removes one candidate after another until there is enough, saying what each
 * gave. A candidate that is a link or lies on another file system stays. Gives the bytes that are free at the end; warns
 * where that is still too little. Throws UserError `file` when a folder cannot be measured.
 */
export async function makeRoom({ folder, wanted, candidates }: Space, tools: Tools): Promise<number> {
  const { log, free } = tools;
  let room = await measure(folder, free);
  if (room >= wanted) return room;
  log.info(`${sizeText(room)} are free for ${folder}, ${sizeText(wanted)} are wanted`);
  for (const candidate of candidates) {
    if (room >= wanted) break;
    if (!(await isOnSameDisk(candidate, folder)) || !(await remove(candidate, tools))) continue;
    const now = await measure(folder, free);
    log.info(`removed ${candidate}: ${sizeText(Math.max(0, now - room))}`);
    room = now;
  }
  if (room < wanted) {
    log.warn(`only ${sizeText(room)} are free for ${folder}, but ${sizeText(wanted)} were requested; continuing`);
  }
  return room;
}

const measure = (folder: string, free: Tools['free']): Promise<number> =>
  free(folder).catch((cause: unknown) => {
    throw new UserError('file', `the free space of ${folder} cannot be measured`, { cause });
  });

async function isOnSameDisk(candidate: string, folder: string): Promise<boolean> {
  try {
    const found = await lstat(candidate);
    return found.isDirectory() && found.dev === (await stat(await nearestThere(folder))).dev;
  } catch {
    return false;
  }
}

async function remove(folder: string, { exec, log, asRoot }: Tools): Promise<boolean> {
  const [program = 'rm', ...args] = [...asRoot, 'rm', '-rf', '--one-file-system', '--', folder];
  const { exitCode, stderr } = await exec(program, args);
  if (exitCode !== 0) log.warn(`${folder} cannot be removed: ${stderr.trim()}`);
  return exitCode === 0;
}
