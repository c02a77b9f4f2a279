import { BLOCK, decodeHeader, type Header, padding, TYPE } from './header.ts';
import { Extensions, NAME_LIMIT } from './pax.ts';

/**
 * One thing in a tar stream that a container program or the maker of a layer wrote. Its name has no leading or trailing
 * slash.
 */
export interface ReadEntry extends Header {
  /** The beginning of a file's content, as much as was asked for. */
  readonly content: Buffer;
}

/** Where a header of GNU's old sparse files, and a block that goes on with its map, say that another such block follows. */
const SPARSE = { header: 482, block: 504 } as const;

/**
 * The entries of a tar stream, with at most `limit(name)` bytes of each one's content. Ends where the stream does, or at
 * the archive's own end; throws RangeError when it is not a tar file. Who stops early leaves the rest unread.
 */
export async function* tarEntries(
  stream: AsyncIterable<Uint8Array>,
  limit: (name: string) => number,
): AsyncGenerator<ReadEntry> {
  const take = reader(stream);
  const extensions = new Extensions();
  for (;;) {
    const block = await take(BLOCK, BLOCK);
    const header = block.length === BLOCK ? decodeHeader(block) : undefined;
    if (!header) return;
    if (Extensions.has(header)) {
      const { size } = header;
      extensions.add(header, await take(size + padding(size), Extensions.contentSize(header)));
      continue;
    }
    const entry = extensions.apply(header);
    const name = plainName(entry.name);
    if (Math.max(name.length, entry.link.length) > NAME_LIMIT)
      throw new RangeError(`a name in it is longer than ${NAME_LIMIT} characters`);
    if (entry.type === 'S') await passSparseMap(block, take);
    const content = await take(entry.size + padding(entry.size), Math.min(entry.size, limit(name)));
    // Before POSIX, a folder was a file whose name ends in a slash.
    const isFolder = entry.type === TYPE.file && entry.name.endsWith('/');
    yield { ...entry, name, type: isFolder ? TYPE.directory : entry.type, content };
  }
}

type Take = (count: number, kept: number) => Promise<Buffer>;

/** The map of a sparse file is between header and content, and is not counted in its size. */
async function passSparseMap(header: Buffer, take: Take): Promise<void> {
  let goesOn = header[SPARSE.header] === 1;
  while (goesOn) goesOn = (await take(BLOCK, BLOCK))[SPARSE.block] === 1;
}

/** Without `./` and slashes before it, and slashes after it; between names one slash is as good as several. */
function plainName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '');
  const first = parts.findIndex((part) => part !== '.');
  return first < 0 ? '' : parts.slice(first).join('/');
}

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
