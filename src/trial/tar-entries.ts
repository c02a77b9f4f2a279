import { BLOCK, decodeHeader, decodeOwner, decodePax, paddingOf } from '../registry/archive-header.ts';

/** One thing in a tar stream that a container program writes. */
export interface TarEntry {
  /** Without leading or trailing slash. */
  readonly name: string;
  /** `0` a file, `2` a link, `5` a folder, as in ustar. */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Where a link leads. */
  readonly link: string;
  /** The beginning of a file's content, as much as was asked for. */
  readonly content: Buffer;
}

/** Bytes of one pax header or long name; more is no name. */
const RECORD_LIMIT = 1024 * 1024;

/**
 * The entries of a tar stream, with at most `limit` bytes of each one's content. Ends where the stream does; throws RangeError
 * when it is no tar file. Who stops early leaves the rest unread.
 */
export async function* tarEntries(stream: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<TarEntry> {
  const take = reader(stream);
  let records = new Map<string, string>();
  for (;;) {
    const block = await take(BLOCK, BLOCK);
    const header = block.length === BLOCK ? decodeHeader(block) : undefined;
    if (!header) return;
    // Records of pax and GNU's long names stand before what they belong to.
    const isRecord = 'xgLK'.includes(header.type);
    const size = isRecord ? header.size : Number(records.get('size') ?? header.size);
    const content = await take(size + paddingOf(size), Math.min(size, isRecord ? RECORD_LIMIT : limit));
    const text = (): string => content.toString('utf8').replace(/\0+$/, '');
    if (header.type === 'x') records = new Map([...records, ...decodePax(content)]);
    else if (header.type === 'L') records.set('path', text());
    else if (header.type === 'K') records.set('linkpath', text());
    if (isRecord) continue;
    const { mode, uid, gid } = decodeOwner(block);
    yield {
      name: (records.get('path') ?? header.name).replace(/^(?:\.?\/)+|\/+$/g, ''),
      type: header.type,
      mode,
      uid: Number(records.get('uid') ?? uid),
      gid: Number(records.get('gid') ?? gid),
      size,
      link: records.get('linkpath') ?? header.link,
      content,
    };
    records = new Map();
  }
}

/** Takes so many bytes from a stream and gives the first `kept` of them; fewer where the stream ends. */
function reader(stream: AsyncIterable<Uint8Array>): (count: number, kept: number) => Promise<Buffer> {
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
