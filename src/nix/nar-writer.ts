import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  realpathSync,
  type Stats,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { type ByteString, fromBytes, fromText, toBytes, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { fileError } from '../core/file-error.ts';

/** Bytes of a block: as many as a read gives at no extra cost, and all that is held of a file. */
const BLOCK = 256 * 1024;

/** Every string is padded with zeros to a multiple of this. */
const ALIGNMENT = 8;

/** Links are never followed, and a pipe in place of a file is not waited for. */
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;

/** What a NAR is made of: bytes of the format itself, or a file whose contents come there. */
type Part = Buffer | OpenFile;

interface OpenFile {
  readonly path: ByteString;
  readonly descriptor: number;
  readonly size: number;
}

/** What is still to be written: a node at a path, or bytes. */
type Task = { readonly path: ByteString; readonly kind: Kind } | Buffer;

type Kind = 'directory' | 'regular' | 'symlink' | 'other';

const paddingOf = (length: number): number => (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;

const ZEROS = Buffer.alloc(ALIGNMENT);

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(ALIGNMENT);
  bytes.writeBigUInt64LE(BigInt(length));
  return bytes;
}

const string = (bytes: Buffer): Buffer =>
  Buffer.concat([lengthOf(bytes.length), bytes, ZEROS.subarray(0, paddingOf(bytes.length))]);

const words = (...texts: readonly string[]): Buffer => Buffer.concat(texts.map((text) => string(Buffer.from(text))));

const MAGIC = words('nix-archive-1');
const DIRECTORY = words('(', 'type', 'directory');
const SYMLINK = words('(', 'type', 'symlink', 'target');
const FILE = words('(', 'type', 'regular', 'contents');
const EXECUTABLE = words('(', 'type', 'regular', 'executable', '', 'contents');
const ENTRY = words('entry', '(', 'name');
const NODE = words('node');
const END = words(')');

/**
 * The NAR (section 5.2 of Dolstra's thesis) of a file, directory or link on the disk, byte for byte as `nix-store --dump` writes
 * it. A block is valid until the next one is asked for; memory does not grow with files, only with the names of the directories that are
 * open. Blocking reads, a block at a time, as in `storeTree`: faster than the thread pool, and an event loop's turn lies between two
 * blocks. What a path is may change while it is read, so whoever takes the NAR checks its hash; but no link is ever
 * followed, nor is anything read that is not a file. Throws UserError `build`.
 */
export async function* narOfPath(path: string): AsyncGenerator<Uint8Array> {
  const block = Buffer.allocUnsafeSlow(BLOCK);
  let used = 0;
  for (const part of partsOf(fromText(path))) {
    if (Buffer.isBuffer(part)) {
      for (let done = 0; done < part.length; ) {
        const count = part.copy(block, used, done);
        done += count;
        used += count;
        if (used < BLOCK) continue;
        yield block;
        used = 0;
      }
      continue;
    }
    for (let left = part.size; left > 0; ) {
      const count = attempt(part.path, () =>
        readSync(part.descriptor, block, used, Math.min(left, BLOCK - used), null),
      );
      if (count === 0) throw unreadable(part.path, 'it became shorter while it was read');
      left -= count;
      used += count;
      if (used < BLOCK) continue;
      yield block;
      used = 0;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}

/** A loop over what is to be done, not a recursion: how deep directories nest is up to whoever made them. */
function* partsOf(root: ByteString): Generator<Part> {
  yield MAGIC;
  const real = attempt(root, () => realParent(root));
  const tasks: Task[] = [{ path: real, kind: kindOf(attempt(root, () => lstatSync(toBytes(real)))) }];
  for (let task = tasks.pop(); task; task = tasks.pop()) {
    if (Buffer.isBuffer(task)) yield task;
    else if (task.kind === 'directory') {
      yield DIRECTORY;
      tasks.push(END, ...entriesOf(task.path));
    } else if (task.kind === 'symlink') {
      const { path } = task;
      yield Buffer.concat([SYMLINK, string(attempt(path, () => readlinkSync(toBytes(path), 'buffer'))), END]);
    } else if (task.kind === 'regular') yield* fileParts(task.path);
    else throw unreadable(task.path, 'it is neither file, directory nor symlink');
  }
}

/** A path without links on the way to its last part, which may be one. */
function realParent(path: ByteString): ByteString {
  const text = toText(path);
  return fromText(`${realpathSync(dirname(text)).replace(/\/$/, '')}/${basename(text)}`);
}

/** What a directory holds, the first name last, for the last task is done first. */
function entriesOf(path: ByteString): Task[] {
  const entries = withOpen(path, O_DIRECTORY, (descriptor) =>
    readdirSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer', withFileTypes: true }),
  );
  return entries
    .map((entry) => ({ name: fromBytes(entry.name), kind: kindOf(entry) }))
    .sort((a, b) => (a.name < b.name ? 1 : -1))
    .flatMap(({ name, kind }): Task[] => [
      END,
      { path: `${path}/${name}`, kind },
      Buffer.concat([ENTRY, string(toBytes(name)), NODE]),
    ]);
}

function* fileParts(path: ByteString): Generator<Part> {
  const descriptor = openHere(path, O_NONBLOCK);
  try {
    const stats = attempt(path, () => fstatSync(descriptor));
    if (!stats.isFile()) throw unreadable(path, 'it is no longer a file');
    // The owner's bit alone counts.
    yield Buffer.concat([(stats.mode & 0o100) === 0 ? FILE : EXECUTABLE, lengthOf(stats.size)]);
    if (stats.size > 0) yield { path, descriptor, size: stats.size };
    yield Buffer.concat([ZEROS.subarray(0, paddingOf(stats.size)), END]);
  } finally {
    closeSync(descriptor);
  }
}

function withOpen<T>(path: ByteString, flags: number, use: (descriptor: number) => T): T {
  const descriptor = openHere(path, flags);
  try {
    return attempt(path, () => use(descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** Opens what is at a path itself: a link there is refused by the system, and one on the way by asking it what was opened. */
function openHere(path: ByteString, flags: number): number {
  const descriptor = attempt(path, () => openSync(toBytes(path), O_RDONLY | O_NOFOLLOW | flags));
  try {
    const opened = attempt(path, () => fromBytes(readlinkSync(`/proc/self/fd/${descriptor}`, 'buffer')));
    if (opened !== path) throw unreadable(path, `it leads to ${toText(opened)}`);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function kindOf(entry: Pick<Stats, 'isDirectory' | 'isFile' | 'isSymbolicLink'>): Kind {
  if (entry.isDirectory()) return 'directory';
  if (entry.isFile()) return 'regular';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

const unreadable = (path: ByteString, why: string): UserError =>
  new UserError('build', `cannot read ${toText(path)}: ${why}`, {
    hint: 'Check the store with `nix-store --verify --check-contents`.',
  });

/** What the disk refuses concerns this path alone; UserError `file` would stand for a disk that takes nothing more. */
function attempt<T>(path: ByteString, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const failure = fileError(error, toText(path), 'read');
    throw failure instanceof UserError ? new UserError('build', failure.message, { cause: error }) : failure;
  }
}
