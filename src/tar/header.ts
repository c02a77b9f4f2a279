import { type ByteString, fromText } from '../core/bytes.ts';

/** Bytes of a block, the unit of a tar (POSIX.1-2017, pax, "ustar Interchange Format"). */
export const BLOCK = 512;

/** Zero bytes that follow `size` bytes of content. */
export const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

/** The two zero blocks that end a tar; no padding to a record size, which would only be more bytes. */
export const endBlocks = (): Buffer => Buffer.alloc(2 * BLOCK);

/** What an entry is, by its mark in a header; `x` is a pax header, which says more of the entry after it. */
export const TYPE = { file: '0', hardLink: '1', symlink: '2', directory: '5', pax: 'x' } as const;

interface Field {
  readonly at: number;
  readonly length: number;
}

/** Where ustar's fields lie and how long they are, in bytes. */
export const FIELD = {
  name: { at: 0, length: 100 },
  mode: { at: 100, length: 8 },
  uid: { at: 108, length: 8 },
  gid: { at: 116, length: 8 },
  size: { at: 124, length: 12 },
  mtime: { at: 136, length: 12 },
  checksum: { at: 148, length: 8 },
  type: { at: 156, length: 1 },
  link: { at: 157, length: 100 },
  magic: { at: 257, length: 8 },
  uname: { at: 265, length: 32 },
  gname: { at: 297, length: 32 },
  deviceMajor: { at: 329, length: 8 },
  deviceMinor: { at: 337, length: 8 },
  prefix: { at: 345, length: 155 },
} as const satisfies Record<string, Field>;

/** The largest number that a field holds in octal digits before a closing zero byte. */
export const octalLimit = ({ length }: Field): number => 8 ** (length - 1) - 1;

/** The values of a header block, which are cut to the length of their fields. */
export interface HeaderFields {
  readonly type: string;
  readonly name: ByteString;
  /** What comes before `name`, without the slash between them. */
  readonly prefix?: ByteString;
  readonly link?: ByteString;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly uname?: ByteString;
  readonly gname?: ByteString;
  /** Zeros as the numbers of a device, as POSIX asks; without it they are left empty, as some writers do. */
  readonly device?: boolean;
}

function putText(block: Buffer, { at, length }: Field, value: ByteString): void {
  if (value !== '') block.write(value, at, length, 'latin1');
}

/** Octal digits, as many as fit between `at` and the zero byte that ends a field. No text is made of them, for there are eight such fields in a header. */
function putDigits(block: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let to = at + digits - 1; to >= at; to -= 1) {
    const more = Math.floor(rest / 8);
    block[to] = 0x30 + rest - more * 8;
    rest = more;
  }
}

/** In octal digits, or in GNU's binary form where they are too few. */
function putNumber(block: Buffer, field: Field, value: number): void {
  const { at, length } = field;
  if (value > octalLimit(field)) {
    block.writeBigUInt64BE(BigInt(value), at + length - 8);
    block[at] = 0x80 | (block[at] ?? 0);
  } else putDigits(block, at, length - 1, value);
}

/** Of all bytes, those of the checksum itself counted as spaces. */
function checksum(block: Buffer): number {
  const { at, length } = FIELD.checksum;
  let sum = length * 0x20;
  for (let byte = 0; byte < at; byte += 1) sum += block[byte] ?? 0;
  for (let byte = at + length; byte < BLOCK; byte += 1) sum += block[byte] ?? 0;
  return sum;
}

/** One header block, in `block` where that is given, which may have been used before. */
export function encodeHeader(fields: HeaderFields, block: Buffer = Buffer.allocUnsafe(BLOCK)): Buffer {
  block.fill(0);
  putText(block, FIELD.name, fields.name);
  putNumber(block, FIELD.mode, fields.mode);
  putNumber(block, FIELD.uid, fields.uid);
  putNumber(block, FIELD.gid, fields.gid);
  putNumber(block, FIELD.size, fields.size);
  putNumber(block, FIELD.mtime, fields.mtime);
  putText(block, FIELD.type, fields.type);
  putText(block, FIELD.link, fields.link ?? '');
  putText(block, FIELD.magic, 'ustar\u000000');
  putText(block, FIELD.uname, fields.uname ?? '');
  putText(block, FIELD.gname, fields.gname ?? '');
  if (fields.device) {
    putNumber(block, FIELD.deviceMajor, 0);
    putNumber(block, FIELD.deviceMinor, 0);
  }
  putText(block, FIELD.prefix, fields.prefix ?? '');
  putDigits(block, FIELD.checksum.at, 6, checksum(block));
  block[FIELD.checksum.at + 7] = 0x20;
  return block;
}

/**
 * Header of a file in an image archive (or of a folder, when the name ends in a slash), with fixed owner, mode and time.
 * Layers have richer ones: `layerHeader`. Throws RangeError for a name that is too long for a header.
 */
export function fileHeader(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) > FIELD.name.length) throw new RangeError(`too long for a tar name: ${name}`);
  const isFolder = name.endsWith('/');
  return encodeHeader({
    type: isFolder ? TYPE.directory : TYPE.file,
    name: fromText(name),
    size,
    mode: isFolder ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    // One second after the epoch, as in the Nix store: some tools take 0 for "no time".
    mtime: 1,
  });
}

/** A header as it is in the archive; long names and pax records come as entries of their own before it. */
export interface Header {
  readonly name: string;
  /** One of `TYPE`, or another mark: devices, pipes and what GNU adds. */
  readonly type: string;
  /** Where a link leads. */
  readonly link: string;
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
  /** Owner and time are NaN where the header has not a number for them. */
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/**
 * Text up to the first zero byte. The bytes are cut before they are decoded: of a short text cut out of a long one, JavaScript
 * would keep the long one.
 */
export function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
}

const textIn = (block: Buffer, { at, length }: Field): string => untilZero(block.subarray(at, at + length));

function numberIn(block: Buffer, field: Field): number {
  const { at, length } = field;
  if (((block[at] ?? 0) & 0x80) !== 0) {
    // GNU's binary form; the first byte is only its mark. Beyond 2^53 no file goes.
    const bytes = block.readBigUInt64BE(at + length - 8);
    // In the fields of ids, eight bytes long, the mark is in the first of the number's own bytes.
    const value = length === 8 ? bytes & 0x7fff_ffff_ffff_ffffn : bytes;
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.NaN : Number(value);
  }
  const digits = textIn(block, field).trim();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** Reads a header block; undefined for a block of zeros (the end). Throws RangeError when it is not a header. */
export function decodeHeader(block: Buffer): Header | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (numberIn(block, FIELD.checksum) !== checksum(block)) throw new RangeError('its checksum is wrong');
  const size = numberIn(block, FIELD.size);
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError('its size is not a number');
  const isUstar = block.toString('latin1', FIELD.magic.at, FIELD.magic.at + 6) === 'ustar\0';
  const prefix = isUstar ? textIn(block, FIELD.prefix) : '';
  const name = textIn(block, FIELD.name);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    type: String.fromCharCode(block[FIELD.type.at] || TYPE.file.charCodeAt(0)),
    link: textIn(block, FIELD.link),
    size,
    mode: numberIn(block, FIELD.mode) & 0o7777,
    uid: numberIn(block, FIELD.uid),
    gid: numberIn(block, FIELD.gid),
    mtime: numberIn(block, FIELD.mtime),
  };
}
