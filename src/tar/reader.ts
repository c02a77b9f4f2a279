import { BLOCK, decodeHeader, decodeOwner, decodePax, paddingOf, untilZero } from './read-header.ts';

/** One thing in a tar stream that a container program or the maker of a layer wrote. */
export interface TarEntry {
  /** Without leading or trailing slash. */
  readonly name: string;
  /** `0` a file, `1` a hard link, `2` a link, `5` a folder, as in ustar. */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly size: number;
  /** Where a link leads. */
  readonly link: string;
  /** The beginning of a file's content, as much as was asked for. */
  readonly content: Buffer;
}

/** No path of Linux is longer (limits.h, PATH_MAX). */
const NAME_LIMIT = 4096;

/** Bytes of one pax header or long name; more is no name. */
const RECORD_LIMIT = 1024 * 1024;

/** Where a header of GNU's old sparse files, and a block that goes on with its map, say that another such block follows. */
const SPARSE = { header: 482, block: 504 } as const;

/**
 * The entries of a tar stream, with at most `limit(name)` bytes of each one's content. Ends where the stream does, or at
 * the archive's own end; throws RangeError when it is no tar file. Who stops early leaves the rest unread.
 */
export async function* tarEntries(
  stream: AsyncIterable<Uint8Array>,
  limit: (name: string) => number,
): AsyncGenerator<TarEntry> {
  const take = reader(stream);
  let records = new Map<string, string>();
  for (;;) {
    const block = await take(BLOCK, BLOCK);
    const header = block.length === BLOCK ? decodeHeader(block) : undefined;
    if (!header) return;
    // Records of pax and GNU's long names stand before what they belong to.
    const isRecord = 'xgLK'.includes(header.type);
    const size = isRecord ? header.size : Number(records.get('size') ?? header.size);
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError('a size in it is not a number');
    const path = records.get('GNU.sparse.name') ?? records.get('path') ?? header.name;
    const name = plainName(path);
    const link = records.get('linkpath') ?? header.link;
    if (!isRecord && Math.max(name.length, link.length) > NAME_LIMIT)
      throw new RangeError(`a name in it is longer than ${NAME_LIMIT} characters`);
    if (header.type === 'S') await passSparseMap(block, take);
    const content = await take(size + paddingOf(size), Math.min(size, isRecord ? RECORD_LIMIT : limit(name)));
    const text = (): string => untilZero(content);
    if (header.type === 'x') records = new Map([...records, ...decodePax(content)]);
    else if (header.type === 'L') records.set('path', text());
    else if (header.type === 'K') records.set('linkpath', text());
    if (isRecord) continue;
    const { mode, uid, gid, mtime } = decodeOwner(block);
    yield {
      name,
      // Before POSIX, a folder was a file whose name ends in a slash.
      type: header.type === '0' && path.endsWith('/') ? '5' : header.type,
      mode,
      uid: Number(records.get('uid') ?? uid),
      gid: Number(records.get('gid') ?? gid),
      mtime: Math.floor(Number(records.get('mtime') ?? mtime)),
      size,
      link,
      content,
    };
    records = new Map();
  }
}

type Take = (count: number, kept: number) => Promise<Buffer>;

/** The map of a sparse file stands between header and content, and is not counted in its size. */
async function passSparseMap(header: Buffer, take: Take): Promise<void> {
  let goesOn = header[SPARSE.header] === 1;
  while (goesOn) goesOn = (await take(BLOCK, BLOCK))[SPARSE.block] === 1;
}

/** Without `./` and slashes before it, and slashes after it; between names one slash is as good as several. */
const plainName = (name: string): string => {
  const parts = name.split('/').filter((part) => part !== '');
  const first = parts.findIndex((part) => part !== '.');
  return first < 0 ? '' : parts.slice(first).join('/');
};

/** Takes so many bytes from a stream and gives the first `kept` of them; fewer where the stream ends. */
function reader(stream: AsyncIterable<Uint8Array>): Take {
  const source = stream[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array();
  return async (count, kept) => {
    const parts: Uint8Array[] = [];
    let missing = count;
    let wanted = kept;
    while (missing > 0) {
      if (rest.length === 0) {
        const next = await source.next();
        if (next.done) break;
        rest = next.value;
      }
      const part = rest.subarray(0, missing);
      if (wanted > 0) parts.push(Buffer.from(part.subarray(0, wanted)));
      wanted -= Math.min(wanted, part.length);
      missing -= part.length;
      rest = rest.subarray(part.length);
    }
    return Buffer.concat(parts);
  };
}
