import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { Effects } from '../core/effects.ts';
import { writeFully } from '../core/file-bytes.ts';
import { isMissing, systemCode, withFileErrors } from '../core/file-error.ts';
import { checkSpace, type FreeSpace } from '../core/free-space.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import { withLayoutLock } from '../storage/layout/layout-lock.ts';
import { type FilesPlace, parseSums, type StagedFiles, SUMS, type Sums, sumsText } from './files-place.ts';
import type { MadeFile } from './zstd-disk.ts';

interface DirPlaceOptions extends Partial<Pick<Effects, 'log' | 'clock'>>, Pick<Effects, 'signal'> {
  /** As a person writes it. */
  readonly name: string;
  readonly free: FreeSpace;
  /** Default: that of the system. */
  readonly rename?: typeof rename;
}

/** What stands before the name of a folder in which files are written. */
const HIDDEN = '.nix-images-';

/** Milliseconds after which such a folder has no process any more: none writes for so long without a new file in it. */
const LEFT_AFTER = 24 * 3_600_000;

/**
 * A folder as a place of disks. Files are written into a hidden folder in it, and renamed to where they belong when they are whole, one after the other, for no
 * file system renames several at once. So the checksums decide, which keep their lines of other files: those of a disk go before its first file is renamed,
 * and come back after the last. Whoever reads meanwhile, or after a crash, finds for every line the file that it means, and all files of a disk that has
 * lines are of one build.
 */
export const dirPlace = (path: string, options: DirPlaceOptions): FilesPlace => ({
  name: options.name,
  stage: (files, obsolete = []) => withFileErrors(path, 'write', () => stage(path, files, obsolete, options)),
  close: async () => undefined,
});

async function stage(
  path: string,
  files: readonly MadeFile[],
  obsolete: readonly string[],
  options: DirPlaceOptions,
): Promise<StagedFiles> {
  await mkdir(path, { recursive: true });
  await removeLeft(path, options);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  await checkSpace({ what: files.map((file) => file.name).join(' and '), bytes, path }, options.free);
  const hidden = await mkdtemp(join(path, HIDDEN));
  const abandon = (): Promise<void> => rm(hidden, { recursive: true, force: true }).catch(() => undefined);
  try {
    const sums = new Map<string, Digest>();
    for (const file of files) sums.set(file.name, await write(join(hidden, file.name), file, options.signal));
    return {
      bytesSent: bytes,
      finish: () => finish({ path, hidden, sums, obsolete }, options).finally(abandon),
      abandon,
    };
  } catch (error) {
    await abandon();
    throw error;
  }
}

/** Removes what processes have left that were killed. */
async function removeLeft(path: string, { clock = systemClock }: DirPlaceOptions): Promise<void> {
  for (const name of await readdir(path)) {
    if (!name.startsWith(HIDDEN)) continue;
    const folder = join(path, name);
    const info = await stat(folder).catch(() => undefined);
    if (info?.isDirectory() !== true || clock.now() - info.mtimeMs < LEFT_AFTER) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

async function write(path: string, { size, read }: MadeFile, signal: AbortSignal): Promise<Digest> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o644);
  try {
    let at = 0;
    for await (const bytes of read(0, size)) {
      signal.throwIfAborted();
      hash.update(bytes);
      await writeFully(file, bytes, at);
      at += bytes.length;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return endDigest(hash);
}

interface Written {
  readonly path: string;
  readonly hidden: string;
  readonly sums: Sums;
  readonly obsolete: readonly string[];
}

function finish(
  { path, hidden, sums, obsolete }: Written,
  { rename: move = rename, ...tools }: DirPlaceOptions,
): Promise<readonly string[]> {
  const putSums = async (all: Sums): Promise<void> => {
    const draft = join(hidden, SUMS);
    await writeFile(draft, sumsText(all), { flush: true });
    await move(draft, join(path, SUMS));
    await syncFolder(path);
  };
  return withFileErrors(path, 'write', () =>
    withLayoutLock(path, tools, async () => {
      const before = parseSums(await textOf(join(path, SUMS)));
      const others = new Map([...before].filter(([name]) => !sums.has(name) && !obsolete.includes(name)));
      const isSame =
        !obsolete.some((name) => before.has(name)) && [...sums].every(([name, digest]) => before.get(name) === digest);
      if (!isSame && others.size < before.size) await putSums(others);
      for (const name of sums.keys()) await move(join(hidden, name), join(path, name));
      for (const name of obsolete) await rm(join(path, name), { force: true });
      // What the lines speak of has to be there before them, also where the power fails.
      await syncFolder(path);
      await putSums(new Map([...others, ...sums]));
      return [...sums.keys(), SUMS].map((name) => join(path, name));
    }),
  );
}

const textOf = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });

/** Has the names in a folder written to the disk (fsync(2): those of a new file are not by its own), where the file system can do that. */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path);
  await folder.sync().catch((error: unknown) => {
    if (!['EINVAL', 'ENOTSUP', 'ENOSYS'].includes(systemCode(error) ?? '')) throw error;
  });
}
