import { closeSync, mkdirSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { type ByteString, fromText, toBytes, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { createNarParser, type NarFile, type NarParser, type NarSink } from './nar.ts';

/** For this user alone, and deletable; of a file's mode only the executable bit means anything. */
const MODE = { directory: 0o700, file: 0o600, executable: 0o700 } as const;

/**
 * Unpacks a NAR as `target`, a path in an existing folder of this process's own where nothing may be yet. Everything
 * is created, never opened or replaced, so that no link on the way can lead out of it. Blocking calls: most files are
 * small, and a round trip through the thread pool costs more than writing one.
 * `push` throws UserError `digest` when it is not a NAR and `file` when it cannot be written; what was written stays.
 */
export const createUnpacker = (target: string): NarParser => createNarParser(diskSink(fromText(target)));

const diskSink = (target: ByteString): NarSink => ({
  directory: (path) => attempt(target + path, (at) => mkdirSync(at, MODE.directory)),
  symlink: (path, to) => attempt(target + path, (at) => symlinkSync(toBytes(to), at)),
  file: (path, executable) => openFile(target + path, executable),
});

function openFile(path: ByteString, executable: boolean): NarFile {
  const mode = executable ? MODE.executable : MODE.file;
  const descriptor = attempt(path, (at) => openSync(at, 'wx', mode));
  return {
    write: (piece) =>
      attempt(path, () => {
        for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done);
      }),
    end: () => attempt(path, () => closeSync(descriptor)),
  };
}

function attempt<T>(path: ByteString, write: (path: Buffer) => T): T {
  try {
    return write(toBytes(path));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UserError('file', `cannot write ${toText(path)}: ${reason}`, {
      hint: 'Store paths are unpacked in the temporary folder: make room there, or set TMPDIR to a folder that has some.',
      cause,
    });
  }
}
