import { toBytes } from '../../core/bytes.ts';
import type { TarEntry } from '../../tar/entry.ts';
import { headerFields } from '../../tar/layer-header.ts';

/** A part of a file's content: its frame is a range of the layer, and `size` bytes when it is decompressed. */
export interface ContentChunk {
  readonly offset: number;
  readonly end: number;
  readonly size: number;
  readonly digest: string;
}

/** The content of a file, in one part or more. */
export interface ChunkedContent {
  /** SHA-256 of all of it. */
  readonly digest: string;
  readonly chunks: readonly ContentChunk[];
}

const TYPE = { file: 'reg', directory: 'dir', symlink: 'symlink' } as const;

const text = (bytes: string): string => toBytes(bytes).toString('utf8');

/** Go's form of a time in JSON. */
const timeText = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

/**
 * The rows of an entry in the table of contents, as JSON that is joined by commas (containers/storage, FileMetadata): one, and one more for each
 * further chunk. Readers compare them with the header in the tar-split, so all of it comes from where that comes from.
 */
export function tocRows(entry: TarEntry, content?: ChunkedContent): string {
  const { name, link, size, mtime } = headerFields(entry);
  const [first, ...others] = content?.chunks ?? [];
  const row = {
    type: TYPE[entry.type],
    name: text(name),
    ...(link === '' ? {} : { linkName: text(link) }),
    mode: entry.mode,
    ...(size === 0 ? {} : { size }),
    uid: entry.uid,
    gid: entry.gid,
    modtime: timeText(mtime),
    ...(entry.type === 'file' && entry.xattrs?.size ? { xattrs: xattrsOf(entry.xattrs) } : {}),
    ...(first && { digest: content?.digest, offset: first.offset, endOffset: others.at(-1)?.end ?? first.end }),
    ...(first && others.length > 0 ? { chunkSize: first.size, chunkDigest: first.digest } : {}),
  };
  let chunkOffset = first?.size ?? 0;
  const rest = others.map(({ offset, end, size, digest }) => {
    const chunk = { offset, endOffset: end, chunkOffset, chunkSize: size, chunkDigest: digest };
    chunkOffset += size;
    return JSON.stringify({ type: 'chunk', name: row.name, ...chunk });
  });
  return [JSON.stringify(row), ...rest].join(',');
}

const xattrsOf = (xattrs: ReadonlyMap<string, Uint8Array>): Record<string, string> =>
  Object.fromEntries([...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
