import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import { isMissing, withFileErrors } from '../core/file-error.ts';
import { nearestNames } from '../core/nearest.ts';
import type { Host } from '../host/host.ts';
import type { Nix } from '../nix/nix.ts';
import { updateFlakeLock } from '../nix/update-lock.ts';
import { type LockedInput, type LockKind, readLock } from '../update/lock.ts';
import { type LockChange, lockChanges } from '../update/lock-change.ts';

/** A lock file as it was before the update. */
interface LockFile {
  readonly kind: LockKind;
  /** Relative to the folder. */
  readonly name: string;
  readonly path: string;
  /** Undefined where there was none. */
  readonly text: string | undefined;
  readonly inputs: readonly LockedInput[];
}

/** The lock files of a folder, before and after. */
export interface LockFiles {
  readonly folder: string;
  readonly files: readonly LockFile[];
}

const FILES = [
  { kind: 'flake', name: 'flake.lock', sign: 'flake.nix' },
  { kind: 'npins', name: 'npins/sources.json', sign: 'npins/sources.json' },
] as const;

const textOf = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });

/** Reads what pins inputs in a folder. Throws UserError `input` where nothing does, and for files that are not what they should be. */
export async function readLockFiles(folder: string): Promise<LockFiles> {
  const files: LockFile[] = [];
  for (const { kind, name, sign } of FILES) {
    if ((await textOf(join(folder, sign))) === undefined) continue;
    const path = join(folder, name);
    const text = await textOf(path);
    files.push({ kind, name, path, text, inputs: text === undefined ? [] : readLock(kind, text, name) });
  }
  if (files.length > 0) return { folder, files };
  throw new UserError('input', `there is neither flake.nix nor npins/sources.json in ${folder}`, {
    hint: 'Name the folder that has them: nix-images update DIR.',
  });
}

/**
 * Updates the files, all inputs of them or those that are named. Throws UserError `input` for a name that is in none of them, and what Nix
 * and npins say where they fail.
 */
export async function updateLocks(locks: LockFiles, names: readonly string[], nix: Nix, host: Host): Promise<void> {
  checkNames(locks, names);
  for (const file of locks.files) {
    const own = names.filter((name) => file.inputs.some((input) => input.name === name));
    if (names.length > 0 && own.length === 0) continue;
    if (file.kind === 'flake') await updateFlakeLock(nix, locks.folder, own);
    else await updatePins(locks.folder, own, host);
  }
}

function checkNames({ files }: LockFiles, names: readonly string[]): void {
  const known = files.flatMap(({ inputs }) => inputs.map(({ name }) => name));
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearestNames(unknown, known);
  const listed = (near.length > 0 ? near : known).join(', ') || 'no inputs';
  const where = files.map(({ name }) => name).join(' and ');
  throw new UserError('input', `unknown input ${JSON.stringify(unknown)}: ${where} does not have it`, {
    hint: `There are: ${listed}.`,
  });
}

async function updatePins(folder: string, names: readonly string[], { exec, log, signal }: Host): Promise<void> {
  const options = { cwd: folder, signal, onStderrLine: (line: string) => log.debug(line) };
  const { exitCode, stdout, stderr } = await exec('npins', ['update', ...names], options).catch((cause: unknown) => {
    if (cause instanceof UserError && cause.code === 'cancelled') throw cause;
    throw new UserError('input', 'cannot run npins, which updates npins/sources.json', {
      hint: 'Install npins, and make sure that it is on PATH.',
      cause,
    });
  });
  if (exitCode === 0) return;
  const said = `${stderr}\n${stdout}`.trim().split('\n').at(-1) ?? '';
  throw new UserError('evaluation', `npins update ended with ${exitCode}: ${said}`, {
    hint: `Run it by hand in ${folder} to see all that it says.`,
  });
}

/** What is different from before, as the files say it. */
export async function changesIn({ files }: LockFiles): Promise<LockChange[]> {
  const changes: LockChange[] = [];
  for (const { kind, name, path, inputs } of files) {
    const text = await textOf(path);
    changes.push(...lockChanges(inputs, text === undefined ? [] : readLock(kind, text, name)));
  }
  return changes;
}

/** The files whose bytes are others than before, with what they hold now. */
export async function changedFiles({ files }: LockFiles): Promise<{ readonly name: string; readonly text: string }[]> {
  const changed: { name: string; text: string }[] = [];
  for (const { name, path, text: before } of files) {
    const text = await textOf(path);
    if (text !== undefined && text !== before) changed.push({ name, text });
  }
  return changed;
}

async function write(path: string, text: string | undefined): Promise<void> {
  if (text === undefined) await rm(path, { force: true });
  else await withFileErrors(path, 'write', () => writeFile(path, text));
}

/** Makes the files what they were before the update. */
export async function restoreLocks({ files }: LockFiles): Promise<void> {
  for (const { path, text } of files) await write(path, text);
}

/** Does something while the files are what they were before the update. */
export async function underOldLocks<T>(locks: LockFiles, work: () => Promise<T>): Promise<T> {
  const now = await Promise.all(locks.files.map(({ path }) => textOf(path)));
  await restoreLocks(locks);
  try {
    return await work();
  } finally {
    for (const [at, { path }] of locks.files.entries()) await write(path, now[at]);
  }
}
