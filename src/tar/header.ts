import { type ByteString, toBytes, toText } from '../core/bytes.ts';
import type { TarEntry } from './entry.ts';
import { MTIME } from './profile.ts';

/** POSIX.1-2017, pax: "pax Interchange Format" and "ustar Interchange Format". */
export const TAR_BLOCK = 512;

const NAME_BYTES = 100;
/** The largest number that 11 octal digits hold: 8 GiB - 1; as a time, the year 2242. */
const SIZE_LIMIT = 0o777_7777_7777;
/** The largest number that 7 octal digits hold. */
const ID_LIMIT = 0o777_7777;
/** Of the record's own entry; readers never show it. */
const PAX_NAME = '././@PaxHeader';

const TYPE = { file: '0', symlink: '2', directory: '5', pax: 'x' } as const;

export const contentSize = (entry: TarEntry): number => {
  if (entry.type !== 'file') return 0;
  return entry.content.kind === 'bytes' ? entry.content.bytes.length : entry.content.size;
};

/**
 * The header blocks of an entry: a ustar header, before it a pax header where the name or link target is over 100
 * bytes or not ASCII, the size is 8 GiB or more, an id is over 7 octal digits, or there are extended attributes.
 */
export function tarHeader(entry: TarEntry): Buffer {
  const name = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const target = entry.type === 'symlink' ? entry.target : '';
  const size = contentSize(entry);
  const records = paxRecords(entry, name, target, size);
  const header = ustar({
    name,
    target,
    size,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    type: TYPE[entry.type],
    mtime: entry.type === 'directory' ? (entry.mtime ?? MTIME) : MTIME,
  });
  if (records.length === 0) return header;
  const body = Buffer.concat(records);
  const pax = ustar({
    name: PAX_NAME,
    target: '',
    size: body.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    type: TYPE.pax,
    mtime: MTIME,
  });
  return Buffer.concat([pax, body, Buffer.alloc(padding(body.length)), header]);
}

/** Zero bytes that follow `size` bytes of content. */
export const padding = (size: number): number => (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;

function paxRecords(entry: TarEntry, name: ByteString, target: ByteString, size: number): Buffer[] {
  const records: Buffer[] = [];
  const long = [
    ['path', name],
    ['linkpath', target],
  ].filter((pair): pair is [string, string] => !fitsUstar(pair[1] ?? ''));
  // Records are UTF-8 unless this one says that names are bytes as they come.
  if (long.some(([, value]) => !isUtf8(value))) records.push(paxRecord('hdrcharset', Buffer.from('BINARY')));
  for (const [key, value] of long) records.push(paxRecord(key, toBytes(value)));
  if (size > SIZE_LIMIT) records.push(paxRecord('size', Buffer.from(String(size))));
  if (entry.uid > ID_LIMIT) records.push(paxRecord('uid', Buffer.from(String(entry.uid))));
  if (entry.gid > ID_LIMIT) records.push(paxRecord('gid', Buffer.from(String(entry.gid))));
  if (entry.type === 'file') {
    const xattrs = [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of xattrs) records.push(paxRecord(`SCHILY.xattr.${key}`, value));
  }
  return records;
}

const fitsUstar = (value: ByteString): boolean => value.length <= NAME_BYTES && /^[\x20-\x7e]*$/.test(value);

const isUtf8 = (value: ByteString): boolean => !toText(value).includes('\ufffd');

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.byteLength(key) + value.length + 3;
  let length = rest + String(rest).length;
  // Counting its own digits may have added one more.
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} ${key}=`), value, Buffer.from('\n')]);
}

interface Ustar {
  readonly name: ByteString;
  readonly target: ByteString;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly type: string;
  readonly mtime: number;
}

function ustar(fields: Ustar): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  // A value that a pax record carries in full stands here cut to size, as pax asks.
  block.write(fields.name.slice(0, NAME_BYTES), 0, 'latin1');
  octal(block, 100, 8, fields.mode);
  octal(block, 108, 8, Math.min(fields.uid, ID_LIMIT));
  octal(block, 116, 8, Math.min(fields.gid, ID_LIMIT));
  octal(block, 124, 12, fields.size > SIZE_LIMIT ? 0 : fields.size);
  octal(block, 136, 12, Math.min(fields.mtime, SIZE_LIMIT));
  block.write(fields.type, 156, 'latin1');
  block.write(fields.target.slice(0, NAME_BYTES), 157, 'latin1');
  block.write('ustar\0' + '00', 257, 'latin1');
  octal(block, 329, 8, 0);
  octal(block, 337, 8, 0);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

const octal = (block: Buffer, offset: number, width: number, value: number): void => {
  block.write(value.toString(8).padStart(width - 1, '0'), offset, 'latin1');
};
