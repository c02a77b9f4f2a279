import { check, type TocEntry } from './chunked-toc.ts';

const TYPES: Readonly<Record<string, TocEntry['type']>> = {
  '0': 'reg',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'dir',
  '6': 'fifo',
};

/** What readers compare: each header of the tar, and what the table says of it. */
export function compareHeaders(tar: Buffer, entries: readonly TocEntry[]): void {
  const wanted = entries.filter(({ type }) => type !== 'chunk');
  let records = new Map<string, Buffer>();
  let next = 0;
  for (let at = 0; at < tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + 512);
    const text = (from: number, to: number): string => {
      const field = header.subarray(from, to);
      const end = field.indexOf(0);
      return field.subarray(0, end < 0 ? undefined : end).toString('utf8');
    };
    const number = (from: number, to: number): number => Number.parseInt(text(from, to).trim() || '0', 8);
    const record = (key: string): string | undefined => records.get(key)?.toString('utf8');
    const type = text(156, 157);
    const size = Number(record('size') ?? number(124, 136));
    const content = at + 512;
    at = content + Math.ceil(size / 512) * 512;
    if (type === 'x') {
      records = paxRecords(tar.subarray(content, content + size));
      continue;
    }
    const prefix = text(345, 500);
    const seconds = Number(record('mtime') ?? number(136, 148));
    const xattrs = [...records].filter(([key]) => key.startsWith('SCHILY.xattr.'));
    const entry = wanted[next];
    next += 1;
    const header_ = {
      type: TYPES[type],
      name: record('path') ?? (prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`),
      linkName: record('linkpath') ?? text(157, 257),
      mode: number(100, 108),
      size,
      uid: Number(record('uid') ?? number(108, 116)),
      gid: Number(record('gid') ?? number(116, 124)),
      modtime: Math.floor(seconds * 1000),
      devMajor: number(329, 337),
      devMinor: number(337, 345),
      xattrs: Object.fromEntries(xattrs.map(([key, value]) => [key.slice(13), value.toString('base64')])),
    };
    const table = {
      type: entry?.type,
      name: entry?.name,
      linkName: entry?.linkName ?? '',
      mode: entry?.mode ?? 0,
      size: entry?.size ?? 0,
      uid: entry?.uid ?? 0,
      gid: entry?.gid ?? 0,
      modtime: entry?.modtime === undefined ? 0 : Date.parse(entry.modtime),
      devMajor: entry?.devMajor ?? 0,
      devMinor: entry?.devMinor ?? 0,
      xattrs: entry?.xattrs ?? {},
    };
    check(
      JSON.stringify(header_) === JSON.stringify(table),
      `${JSON.stringify(header_)} is in the table ${JSON.stringify(table)}`,
    );
    records = new Map();
  }
  check(next === wanted.length, `${next} headers, ${wanted.length} entries`);
}

/** `LENGTH KEY=VALUE\n` each (POSIX.1-2017, pax). */
function paxRecords(bytes: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at);
    const length = Number(bytes.subarray(at, space));
    const equals = bytes.indexOf('=', space);
    found.set(bytes.subarray(space + 1, equals).toString(), bytes.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return found;
}
