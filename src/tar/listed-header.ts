import { type ByteString, toBytes } from '../core/bytes.ts';
import { encodeHeader, FIELD, octalLimit, TYPE } from './header.ts';
import { type PaxRecord, paxBlocks } from './pax.ts';

/**
 * Tar headers as nix2container's tar library (Go's archive/tar) writes them, so that a layer made again from a list of
 * paths is byte for byte the one whose hash the list promises: ustar where everything fits, pax otherwise. The engine's
 * own headers differ in the prefix field, owner names and the slash after a directory's name.
 */

/** A member of a layer made from a list. */
export interface ListedMember {
  /** Begins with a slash, as nix2container writes it. */
  readonly name: ByteString;
  readonly type: 'file' | 'symlink' | 'directory';
  /** Target of a symlink, else empty. */
  readonly link: ByteString;
  /** Bytes; 0 for all but files. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
}

/** nix2container sets every time to one second after the epoch. */
const MTIME = 1;

const isAscii = (text: ByteString): boolean => /^\p{ASCII}*$/u.test(text);
const withoutOthers = (text: ByteString): ByteString => text.replace(/\P{ASCII}/gu, '');
const fits = (text: ByteString, { length }: { readonly length: number }): boolean =>
  isAscii(text) && text.length <= length;

/** The two parts of a long name, divided at the last slash that leaves room for both; undefined where none does. */
function splitName(name: ByteString): { readonly prefix: ByteString; readonly name: ByteString } | undefined {
  if (!isAscii(name)) return undefined;
  const slash = name.slice(0, FIELD.prefix.length + 1).lastIndexOf('/');
  const rest = name.slice(slash + 1);
  if (slash <= 0 || rest.length === 0 || rest.length > FIELD.name.length) return undefined;
  return { prefix: name.slice(0, slash), name: rest };
}

/** What ustar's fields cannot hold; records are sorted by their keys. */
function paxRecords(member: ListedMember): readonly PaxRecord[] {
  const { name, link, size, uid, gid, uname, gname } = member;
  const records: (readonly [string, ByteString, boolean])[] = [
    ['gid', String(gid), gid <= octalLimit(FIELD.gid)],
    ['gname', gname, fits(gname, FIELD.gname)],
    ['linkpath', link, fits(link, FIELD.link)],
    ['path', name, fits(name, FIELD.name)],
    ['size', String(size), size <= octalLimit(FIELD.size)],
    ['uid', String(uid), uid <= octalLimit(FIELD.uid)],
    ['uname', uname, fits(uname, FIELD.uname)],
  ];
  return records.flatMap(([key, value, isHeld]) => (isHeld ? [] : [[key, toBytes(value)] as const]));
}

/** Cut to its field; a slash at the very end would make some readers see a directory. */
const cutName = (name: ByteString): ByteString =>
  name.length > FIELD.name.length && name[FIELD.name.length - 1] === '/'
    ? name.slice(0, FIELD.name.length).replace(/\/+$/, '')
    : name;

function mainBlock(member: ListedMember, names: { readonly name: ByteString; readonly prefix?: ByteString }): Buffer {
  const orZero = (value: number, field: (typeof FIELD)['uid' | 'gid' | 'size']): number =>
    value <= octalLimit(field) ? value : 0;
  return encodeHeader({
    ...names,
    type: TYPE[member.type],
    link: withoutOthers(member.link),
    size: orZero(member.size, FIELD.size),
    mode: member.mode,
    uid: orZero(member.uid, FIELD.uid),
    gid: orZero(member.gid, FIELD.gid),
    mtime: MTIME,
    uname: withoutOthers(member.uname),
    gname: withoutOthers(member.gname),
    device: true,
  });
}

/** Where Go puts the records of a name. */
function paxName(name: ByteString): ByteString {
  const slash = name.lastIndexOf('/');
  return withoutOthers(`${name.slice(0, slash + 1)}PaxHeaders.0/${name.slice(slash + 1)}`);
}

/** The header blocks of a member. */
export function listedHeader(member: ListedMember): Buffer {
  const records = paxRecords(member);
  const split = fits(member.name, FIELD.name) ? undefined : splitName(member.name);
  const isUstar = records.every(([key]) => key === 'path' && split !== undefined);
  if (isUstar) return mainBlock(member, split ?? { name: member.name });
  return Buffer.concat([
    paxBlocks({ name: paxName(member.name), mode: 0, uid: 0, gid: 0, mtime: 0 }, records),
    mainBlock(member, { name: cutName(withoutOthers(member.name)) }),
  ]);
}
