import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { type ByteString, compareBytes, fromBytes, toBytes, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { fileError } from '../core/file-error.ts';
import { directorySize } from './directory.ts';
import type { Inode } from './inode.ts';

const HINT = 'Check the store with `nix-store --verify --check-contents`.';

/** `cannot read PATH: …`, as every failure with a file of the store is told. */
export const unreadable = (path: ByteString, why: string): UserError =>
  new UserError('file', `cannot read ${toText(path)}: ${why}`, { hint: HINT });

/** Runs `read`; what the file system refuses becomes UserError `file` that names `path`. */
export function reading<T>(path: ByteString, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw fileError(error, toText(path), 'read');
  }
}

/**
 * Looks at all that is at a path and below it, without following links and without opening files. Blocking calls, which for
 * metadata are several times faster than the thread pool's.
 *
 * Of modes only the owner's right to execute counts, and each name has a file of its own although some share one on this
 * disk: so it is in a NAR too, by which Nix knows a store path. Which files share one depends on the machine (`nix-store
 * --optimise`), and a disk must not.
 *
 * Throws UserError `file` for what cannot be read, and for sockets, devices and pipes.
 */
export const scanTree = (path: ByteString, name: ByteString): Inode =>
  scanNode(
    path,
    name,
    reading(path, () => lstatSync(toBytes(path))),
  );

function scanNode(path: ByteString, name: ByteString, stats: Stats): Inode {
  const place = { offset: 0, block: 0 };
  if (stats.isFile()) {
    const { size, mtimeMs } = stats;
    const isExecutable = (stats.mode & 0o100) !== 0;
    return { kind: 'file', name, size, isExecutable, mtimeMs, target: undefined, children: NONE, ...place };
  }
  const other = { name, isExecutable: true, mtimeMs: 0, ...place };
  if (stats.isSymbolicLink()) {
    const target = fromBytes(reading(path, () => readlinkSync(toBytes(path), 'buffer')));
    return { kind: 'symlink', size: target.length, target, children: NONE, ...other };
  }
  if (!stats.isDirectory()) throw unreadable(path, 'it is neither file, directory nor symlink');
  const names = reading(path, () => readdirSync(toBytes(path), 'buffer'))
    .map(fromBytes)
    .sort(compareBytes);
  const children = names.map((child): Inode => {
    const below = `${path}/${child}`;
    return scanNode(
      below,
      child,
      reading(below, () => lstatSync(toBytes(below))),
    );
  });
  return { kind: 'directory', size: directorySize(names), target: undefined, children, ...other };
}

/** One for all that have none. */
const NONE: readonly Inode[] = [];
