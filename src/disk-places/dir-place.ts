import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import { writeFully } from '../core/file-bytes.ts';
import { isMissing, withFileErrors } from '../core/file-error.ts';
import { sizeText } from '../core/size.ts';
import { type Digest, endDigest } from '../oci/digest.ts';
import { type FilesPlace, parseSums, type StagedFiles, SUMS, type Sums, sumsText } from './files-place.ts';
import type { MadeFile } from './zstd-disk.ts';

/**
 * A folder as a place of disks. Files are written into a hidden folder in it, and renamed to where they belong when they are whole; the checksums, which keep
 * their lines of other files, come last.
 */
export function dirPlace(
  path: string,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): FilesPlace {
  return {
    name,
    stage: (files) => withFileErrors(path, 'write', () => stage(path, files, signal)),
    close: async () => undefined,
  };
}

async function stage(path: string, files: readonly MadeFile[], signal: AbortSignal): Promise<StagedFiles> {
  await mkdir(path, { recursive: true });
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  await checkSpace(path, bytes);
  const hidden = await mkdtemp(join(path, '.nix-images-'));
  const abandon = (): Promise<void> => rm(hidden, { recursive: true, force: true }).catch(() => undefined);
  try {
    const sums = new Map<string, Digest>();
    for (const file of files) sums.set(file.name, await write(join(hidden, file.name), file, signal));
    return { bytesSent: bytes, finish: () => finish(path, hidden, sums).finally(abandon), abandon };
  } catch (error) {
    await abandon();
    throw error;
  }
}

/** Throws UserError `file` before anything is written. */
async function checkSpace(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  if (bytes <= bavail * bsize) return;
  throw new UserError(
    'file',
    `no space left in ${path}: ${sizeText(bytes)} are needed, and ${sizeText(bavail * bsize)} are free`,
    {
      hint: 'Free space on that disk, or write to another one.',
    },
  );
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

function finish(path: string, hidden: string, sums: Sums): Promise<readonly string[]> {
  return withFileErrors(path, 'write', async () => {
    const there = await readFile(join(path, SUMS), 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return '';
      throw error;
    });
    await writeFile(join(hidden, SUMS), sumsText(new Map([...parseSums(there), ...sums])));
    const names = [...sums.keys(), SUMS];
    for (const name of names) await rename(join(hidden, name), join(path, name));
    return names.map((name) => join(path, name));
  });
}
