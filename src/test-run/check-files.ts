import { posix } from 'node:path';
import { UserError } from '../core/error.ts';
import type { ExpectedFile } from '../definition/image-tests.ts';
import { LINK_LIMIT } from '../definition/walk-path.ts';
import { TYPE } from '../tar/header.ts';
import { type ReadEntry, tarEntries } from '../tar/reader.ts';
import { checkText, type Mismatch } from './check-text.ts';
import { readOwners } from './owners.ts';
import type { Runtime } from './runtime.ts';

/** Bytes of a file that are looked at for its text: configuration is smaller, and programs have no text. */
const TEXT_LIMIT = 1024 * 1024;

/** What podman, docker up to 23 and docker since then say of a path where nothing is. */
const NOTHING_THERE = /no such file|no such container:path|could not (be found|find)|not a directory/i;

/** A container whose files are looked at. */
interface FilesPlace {
  readonly runtime: Runtime;
  readonly container: string;
  /** Where its file system is put to read owners. */
  readonly tempDir: string;
}

/**
 * The first of the files in a container that is not as stated; undefined when all are. Throws UserError `test` where
 * the container program cannot look.
 */
export async function checkFiles(
  { runtime, container, tempDir }: FilesPlace,
  files: Readonly<Record<string, ExpectedFile>>,
  signal: AbortSignal,
): Promise<Mismatch | undefined> {
  const asksOwner = Object.values(files).some(({ uid, gid }) => uid !== null || gid !== null);
  const ownerOf = asksOwner ? await readOwners(runtime, container, tempDir, signal) : undefined;
  for (const [path, file] of Object.entries(files)) {
    const copied = await entryAt(runtime, container, path, signal);
    const entry = copied && { ...copied, ...ownerOf?.(path) };
    const mismatch = checkFile(path, file, entry);
    if (mismatch) return mismatch;
  }
  return undefined;
}

/** @internal What an entry does not have of what is stated of `path`. */
export function checkFile(path: string, file: ExpectedFile, entry: ReadEntry | undefined): Mismatch | undefined {
  if (!entry) return file.exists ? { expected: `a file ${path}`, got: 'no such file' } : undefined;
  if (!file.exists) return { expected: `no file ${path}`, got: 'there is one' };
  const octal = (mode: number): string => mode.toString(8).padStart(4, '0');
  const { mode, uid, gid, text } = file;
  if (mode !== null && Number.parseInt(mode, 8) !== entry.mode)
    return { expected: `${path} with mode ${octal(Number.parseInt(mode, 8))}`, got: `mode ${octal(entry.mode)}` };
  if (uid !== null && uid !== entry.uid) return { expected: `${path} of user ${uid}`, got: `user ${entry.uid}` };
  if (gid !== null && gid !== entry.gid) return { expected: `${path} of group ${gid}`, got: `group ${entry.gid}` };
  if (text === null) return undefined;
  if (entry.type !== TYPE.file) return { expected: `${path} with text`, got: 'a directory or device' };
  if (entry.size > TEXT_LIMIT)
    return { expected: `${path} with at most ${TEXT_LIMIT} bytes, to look at its text`, got: `${entry.size} bytes` };
  return checkText(`text of ${path}`, text, entry.content.toString('utf8'));
}

/** What is at a path, links followed (podman follows them, docker leaves the last one to us); undefined where nothing is. */
async function entryAt(
  runtime: Runtime,
  container: string,
  path: string,
  signal: AbortSignal,
): Promise<ReadEntry | undefined> {
  let at = path;
  for (let links = 0; links < LINK_LIMIT; links += 1) {
    const entry = await copyOut(runtime, container, at, signal);
    if (entry?.type !== TYPE.symlink) return entry;
    at = posix.resolve(posix.dirname(at), entry.link);
  }
  return undefined;
}

async function copyOut(
  runtime: Runtime,
  container: string,
  path: string,
  signal: AbortSignal,
): Promise<ReadEntry | undefined> {
  let entry: ReadEntry | undefined;
  const onStdout = async (stream: AsyncIterable<Uint8Array>): Promise<void> => {
    // Where there is no such file, nothing comes; of a folder, itself comes first.
    entry = (await tarEntries(stream, () => TEXT_LIMIT).next()).value ?? undefined;
  };
  const { exitCode, stderr } = await runtime.run(['cp', `${container}:${path}`, '-'], { onStdout, signal });
  if (entry) return entry;
  if (NOTHING_THERE.test(stderr)) return undefined;
  throw new UserError('test', `${runtime.program} cannot look at ${path}: ${stderr.trim() || `exit ${exitCode}`}`);
}
