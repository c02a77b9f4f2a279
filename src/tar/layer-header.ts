import { type ByteString, isAscii, toBytes, toText } from '../core/bytes.ts';
import { contentSize, type TarEntry } from './entry.ts';
import { encodeHeader, FIELD, octalLimit, TYPE } from './header.ts';
import { type PaxRecord, paxBlocks } from './pax.ts';
import { MTIME } from './profile.ts';

const ID_LIMIT = octalLimit(FIELD.uid);
/** 8 GiB - 1 byte; as a time, the year 2242. */
const SIZE_LIMIT = octalLimit(FIELD.size);

/** Of the records' own entry; readers never show it. */
const PAX_HEADER = { name: '././@PaxHeader', mode: 0o644, uid: 0, gid: 0, mtime: MTIME, device: true } as const;

/** What the header of an entry says, with whatever records carry in full: what a reader of the tar finds. */
export function headerFields(entry: TarEntry) {
  return {
    name: entry.type === 'directory' ? `${entry.path}/` : entry.path,
    link: entry.type === 'symlink' ? entry.target : '',
    size: contentSize(entry),
    // No record carries it.
    mtime: Math.min((entry.type === 'directory' ? entry.mtime : undefined) ?? MTIME, SIZE_LIMIT),
  };
}

/**
 * The header blocks of a layer's entry: a ustar header, before it a pax header where the name or link target is over 100
 * bytes or not ASCII, the size is 8 GiB or more, an id is over 7 octal digits, or there are extended attributes. `block` is
 * for a header alone, and may have been used before.
 */
export function layerHeader(entry: TarEntry, block?: Buffer): Buffer {
  const { name, link, size, mtime } = headerFields(entry);
  const fields = {
    type: TYPE[entry.type],
    name,
    link,
    mode: entry.mode,
    // A value that a pax record carries in full is here cut to size, as pax asks.
    size: size > SIZE_LIMIT ? 0 : size,
    uid: Math.min(entry.uid, ID_LIMIT),
    gid: Math.min(entry.gid, ID_LIMIT),
    mtime,
    device: true,
  };
  const header = encodeHeader(fields, block);
  const records = paxRecords(entry, name, link, size);
  return records.length === 0 ? header : Buffer.concat([paxBlocks(PAX_HEADER, records), header]);
}

function paxRecords(entry: TarEntry, name: ByteString, link: ByteString, size: number): PaxRecord[] {
  const records: PaxRecord[] = [];
  const add = (key: string, value: ByteString): void => void records.push([key, toBytes(value)]);
  const hasPath = !fitsUstar(name);
  const hasLink = !fitsUstar(link);
  // Records are UTF-8 unless this one says that names are bytes as they come.
  if ((hasPath && !isUtf8(name)) || (hasLink && !isUtf8(link))) add('hdrcharset', 'BINARY');
  if (hasPath) add('path', name);
  if (hasLink) add('linkpath', link);
  if (size > SIZE_LIMIT) add('size', String(size));
  if (entry.uid > ID_LIMIT) add('uid', String(entry.uid));
  if (entry.gid > ID_LIMIT) add('gid', String(entry.gid));
  if (entry.type === 'file' && entry.xattrs) {
    const xattrs = [...entry.xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, value] of xattrs) records.push([`SCHILY.xattr.${key}`, value]);
  }
  return records;
}

const fitsUstar = (value: ByteString): boolean => value.length <= FIELD.name.length && /^[\x20-\x7e]*$/.test(value);

const isUtf8 = (value: ByteString): boolean => isAscii(value) || !toText(value).includes('\ufffd');
