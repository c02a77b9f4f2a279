import { type ByteString, fromBytes, toText } from '../core/bytes.ts';
import { badNar, NarReader, type Reading } from './nar-reader.ts';

/** What a NAR's nodes are given to, parents before children. Paths start with `/`; that of the NAR itself is empty. */
export interface NarSink {
  directory(path: ByteString): void;
  symlink(path: ByteString, target: ByteString): void;
  /** Opens a file; `write` takes its pieces, `end` is called in every case. A piece is valid until `write` returns. */
  file(path: ByteString, executable: boolean): NarFile;
}

export interface NarFile {
  write(piece: Uint8Array): void;
  end(): void;
}

const MAGIC = 'nix-archive-1';

/** Bytes of the longest word of the format itself, with room: a longer one is none of them. */
const WORD_LIMIT = 32;

/** Linux's NAME_MAX. */
const NAME_LIMIT = 255;

/** Linux's PATH_MAX without the NUL at its end, for link targets and for paths in the archive. */
const PATH_LIMIT = 4095;

/** Takes a NAR in chunks as they come. */
export interface NarParser {
  /** Throws UserError `digest` when what came so far is not exactly what Nix writes, and what the sink throws. */
  push(chunk: Uint8Array): void;
  /** To be called when all has come; throws UserError `digest` when that was too little. */
  end(): void;
  /** Closes the file that is being written, if any; to be called in every case. */
  close(): void;
}

/**
 * Reads a NAR (section 5.2 of Dolstra's thesis, "The Purely Functional Software Deployment Model"), which may come
 * from anywhere, in memory that does not grow with it. Names are checked before the sink sees them: one component
 * each, in order, none twice.
 */
export function createNarParser(sink: NarSink): NarParser {
  const reader = new NarReader();
  const reading = readArchive(reader, sink);
  let done = false;
  return {
    push: (chunk) => {
      reader.add(chunk);
      if (!done) done = reading.next().done === true;
      if (done && !reader.isEmpty) throw badNar('something follows its end');
      reader.keepRest();
    },
    end: () => {
      if (!done) throw badNar('it ends too early');
    },
    close: () => {
      reading.return();
    },
  };
}

/** A directory whose end has not come yet. */
interface OpenDirectory {
  readonly path: ByteString;
  /** The last name that it has so far. */
  last?: ByteString;
}

/** A loop over the open directories, not a recursion: how deep they nest is up to whoever made the archive. */
function* readArchive(reader: NarReader, sink: NarSink): Reading<void> {
  yield* expectWord(reader, MAGIC);
  const open: OpenDirectory[] = [];
  if (yield* readNode(reader, sink, '')) open.push({ path: '' });
  for (let directory = open.at(-1); directory; directory = open.at(-1)) {
    const path = yield* nextEntry(reader, directory);
    if (path !== undefined && (yield* readNode(reader, sink, path))) {
      open.push({ path });
      continue;
    }
    if (path === undefined) open.pop();
    // The end of the entry: of the one just read, or of the one that the closed directory is.
    if (open.length > 0) yield* expectWord(reader, ')');
  }
}

function* word(reader: NarReader): Reading<string> {
  return fromBytes(yield* reader.string(WORD_LIMIT, 'a word'));
}

const unexpected = (found: string, wanted: string): Error =>
  badNar(`${JSON.stringify(toText(found))} where ${wanted} belongs`);

function* expectWord(reader: NarReader, wanted: string): Reading<void> {
  const found = yield* word(reader);
  if (found !== wanted) throw unexpected(found, wanted);
}

/** Reads a node; of a directory only the beginning, which is what true stands for. */
function* readNode(reader: NarReader, sink: NarSink, path: ByteString): Reading<boolean> {
  yield* expectWord(reader, '(');
  yield* expectWord(reader, 'type');
  const type = yield* word(reader);
  if (type === 'directory') {
    sink.directory(path);
    return true;
  }
  if (type === 'symlink') yield* readSymlink(reader, sink, path);
  else if (type === 'regular') yield* readFile(reader, sink, path);
  else throw unexpected(type, 'regular, symlink or directory');
  yield* expectWord(reader, ')');
  return false;
}

function* readFile(reader: NarReader, sink: NarSink, path: ByteString): Reading<void> {
  let next = yield* word(reader);
  const executable = next === 'executable';
  if (executable) {
    yield* expectWord(reader, '');
    next = yield* word(reader);
  }
  if (next !== 'contents') throw unexpected(next, 'contents');
  const file = sink.file(path, executable);
  try {
    yield* reader.contents((piece) => file.write(piece));
  } finally {
    file.end();
  }
}

function* readSymlink(reader: NarReader, sink: NarSink, path: ByteString): Reading<void> {
  yield* expectWord(reader, 'target');
  const target = fromBytes(yield* reader.string(PATH_LIMIT, `the target of ${toText(path)}`));
  if (target === '' || target.includes('\0')) throw badNar(`${toText(path)} is a link to ${JSON.stringify(target)}`);
  sink.symlink(path, target);
}

/** The path of a directory's next entry, read up to its node; undefined at the directory's end. */
function* nextEntry(reader: NarReader, directory: OpenDirectory): Reading<ByteString | undefined> {
  const next = yield* word(reader);
  if (next === ')') return undefined;
  if (next !== 'entry') throw unexpected(next, 'entry or )');
  yield* expectWord(reader, '(');
  yield* expectWord(reader, 'name');
  const name = fromBytes(yield* reader.string(NAME_LIMIT, `a name in ${toText(directory.path) || '/'}`));
  checkName(name, directory.last, directory.path);
  directory.last = name;
  yield* expectWord(reader, 'node');
  return `${directory.path}/${name}`;
}

/** What Nix itself would refuse: anything that is not one name, and anything out of the order of the bytes. */
function checkName(name: ByteString, before: ByteString | undefined, path: ByteString): void {
  const where = `${JSON.stringify(toText(name))} in ${toText(path) || '/'}`;
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw badNar(`${where} is not a file name`);
  if (before !== undefined && name <= before) throw badNar(`${where} is out of order`);
  if (path.length + 1 + name.length > PATH_LIMIT) throw badNar(`${where} has a path of more than ${PATH_LIMIT} bytes`);
}
