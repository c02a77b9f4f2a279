import { type ByteString, toBytes } from '../core/bytes.ts';

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

const BLOCK = 512;
/** Lengths of ustar's fields, in bytes (POSIX.1-2017, pax, "ustar Interchange Format"). */
const FIELD = { name: 100, prefix: 155, owner: 32, id: 8, size: 12 } as const;
const TYPE = { file: '0', symlink: '2', directory: '5' } as const;
/** nix2container sets every time to one second after the epoch. */
const MTIME = 1;

const isAscii = (text: ByteString): boolean => /^\p{ASCII}*$/u.test(text);
const fits = (text: ByteString, length: number): boolean => isAscii(text) && text.length <= length;
/** Octal digits and a closing zero byte. */
const fitsOctal = (value: number, length: number): boolean => value < 8 ** (length - 1);

/** The two parts of a long name, divided at the last slash that leaves room for both; undefined where none does. */
const splitName = (name: ByteString): { readonly prefix: ByteString; readonly rest: ByteString } | undefined => {
  if (!isAscii(name)) return undefined;
  const slash = name.slice(0, FIELD.prefix + 1).lastIndexOf('/');
  const rest = name.slice(slash + 1);
  if (slash <= 0 || rest.length === 0 || rest.length > FIELD.name) return undefined;
  return { prefix: name.slice(0, slash), rest };
};

/** What ustar's fields cannot hold; records are sorted by their keys. */
const paxRecords = (member: ListedMember): readonly (readonly [string, ByteString])[] => {
  const { name, link, size, uid, gid, uname, gname } = member;
  const records: (readonly [string, ByteString, boolean])[] = [
    ['gid', String(gid), fitsOctal(gid, FIELD.id)],
    ['gname', gname, fits(gname, FIELD.owner)],
    ['linkpath', link, fits(link, FIELD.name)],
    ['path', name, fits(name, FIELD.name)],
    ['size', String(size), fitsOctal(size, FIELD.size)],
    ['uid', String(uid), fitsOctal(uid, FIELD.id)],
    ['uname', uname, fits(uname, FIELD.owner)],
  ];
  return records.flatMap(([key, value, isHeld]) => (isHeld ? [] : [[key, value] as const]));
};

const recordBytes = ([key, value]: readonly [string, ByteString]): Buffer => {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  // Counting its own digits may have added one more.
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return toBytes(`${length} ${key}=${value}\n`);
};

const put = (block: Buffer, value: ByteString, at: number, length: number): void => {
  block.write(value.slice(0, length), at, 'latin1');
};

const putOctal = (block: Buffer, value: number, at: number, length: number): void =>
  put(block, (fitsOctal(value, length) ? value : 0).toString(8).padStart(length - 1, '0'), at, length);

const sealed = (block: Buffer): Buffer => {
  block.write('ustar\u000000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
};

/** Cut to its field; a slash at the very end would make some readers see a directory. */
const cutName = (name: ByteString): ByteString =>
  name.length > FIELD.name && name[FIELD.name - 1] === '/'
    ? name.slice(0, FIELD.name).replace(/\/+$/, '')
    : name.slice(0, FIELD.name);

const withoutOthers = (text: ByteString): ByteString => text.replace(/\P{ASCII}/gu, '');

const mainBlock = (member: ListedMember, name: ByteString, prefix: ByteString): Buffer => {
  const block = Buffer.alloc(BLOCK);
  put(block, name, 0, FIELD.name);
  putOctal(block, member.mode, 100, 8);
  putOctal(block, member.uid, 108, 8);
  putOctal(block, member.gid, 116, 8);
  putOctal(block, member.size, 124, 12);
  putOctal(block, MTIME, 136, 12);
  put(block, TYPE[member.type], 156, 1);
  put(block, withoutOthers(member.link), 157, FIELD.name);
  put(block, withoutOthers(member.uname), 265, FIELD.owner);
  put(block, withoutOthers(member.gname), 297, FIELD.owner);
  putOctal(block, 0, 329, 8);
  putOctal(block, 0, 337, 8);
  put(block, prefix, 345, FIELD.prefix);
  return sealed(block);
};

const paxBlocks = (name: ByteString, records: readonly (readonly [string, ByteString])[]): Buffer => {
  const body = Buffer.concat(records.map(recordBytes));
  const block = Buffer.alloc(BLOCK);
  const slash = name.lastIndexOf('/');
  put(block, withoutOthers(`${name.slice(0, slash + 1)}PaxHeaders.0/${name.slice(slash + 1)}`), 0, FIELD.name);
  putOctal(block, 0, 100, 8);
  putOctal(block, 0, 108, 8);
  putOctal(block, 0, 116, 8);
  putOctal(block, body.length, 124, 12);
  putOctal(block, 0, 136, 12);
  put(block, 'x', 156, 1);
  return Buffer.concat([sealed(block), body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)]);
};

/** The header blocks of a member. */
export const listedHeader = (member: ListedMember): Buffer => {
  const records = paxRecords(member);
  const split = fits(member.name, FIELD.name) ? undefined : splitName(member.name);
  const isUstar = records.every(([key]) => key === 'path' && split !== undefined);
  if (isUstar) return mainBlock(member, split?.rest ?? member.name, split?.prefix ?? '');
  return Buffer.concat([paxBlocks(member.name, records), mainBlock(member, cutName(withoutOthers(member.name)), '')]);
};
