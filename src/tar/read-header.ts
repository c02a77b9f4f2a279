/**
 * The few tar headers that archives of images need (POSIX ustar, with GNU's binary sizes from 8 GiB on). Layers
 * have a richer writer of their own; this one names blobs.
 */

export const BLOCK = 512;

/** Bytes that fill up `size` to whole blocks. */
export const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;

// Eleven octal digits end here.
const OCTAL_LIMIT = 8 ** 11;
const NAME_LENGTH = 100;

const putOctal = (block: Buffer, value: number, at: number, length: number): void => {
  block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
};

const checksum = (block: Buffer): number => {
  let sum = 0;
  // The checksum field itself counts as eight spaces.
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
};

/** Header of a plain file (or of a folder, when the name ends in a slash) with fixed owner, mode and time. */
export const encodeHeader = (name: string, size: number): Buffer => {
  if (Buffer.byteLength(name) > NAME_LENGTH) throw new RangeError(`too long for a tar name: ${name}`);
  const isFolder = name.endsWith('/');
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 'utf8');
  putOctal(block, isFolder ? 0o755 : 0o644, 100, 8);
  putOctal(block, 0, 108, 8);
  putOctal(block, 0, 116, 8);
  if (size < OCTAL_LIMIT) putOctal(block, size, 124, 12);
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(size), 128);
  }
  // One second after the epoch, as in the Nix store: some tools take 0 for "no time".
  putOctal(block, 1, 136, 12);
  block[156] = (isFolder ? '5' : '0').charCodeAt(0);
  block.write('ustar\u000000', 257, 'latin1');
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
};

/**
 * Text up to the first zero byte. The bytes are cut before they are decoded: of a short text cut out of a long one, JavaScript
 * would keep the long one.
 */
export const untilZero = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
};

/** A header as it stands in the archive; long names and pax records come as entries of their own before it. */
export interface Header {
  readonly name: string;
  readonly size: number;
  readonly type: string;
  readonly link: string;
}

const text = (block: Buffer, at: number, length: number): string => untilZero(block.subarray(at, at + length));

const number = (block: Buffer, at: number, length: number): number => {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    // GNU's binary form; the first byte is only its mark. Beyond 2^53 no file goes.
    const bytes = block.readBigUInt64BE(at + length - 8);
    // In the fields of ids, eight bytes long, the mark stands in the first of the number's own bytes.
    const value = length === 8 ? bytes & 0x7fff_ffff_ffff_ffffn : bytes;
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.NaN : Number(value);
  }
  const digits = text(block, at, length).trim();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
};

/** Reads a header block; undefined for a block of zeros (the end). Throws RangeError when it is no header. */
export const decodeHeader = (block: Buffer): Header | undefined => {
  if (block.every((byte) => byte === 0)) return undefined;
  if (number(block, 148, 8) !== checksum(block)) throw new RangeError('its checksum is wrong');
  const size = number(block, 124, 12);
  if (!Number.isSafeInteger(size) || size < 0) throw new RangeError('its size is no number');
  const prefix = text(block, 257, 6) === 'ustar' ? text(block, 345, 155) : '';
  const name = text(block, 0, NAME_LENGTH);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size,
    type: String.fromCharCode(block[156] || 0x30),
    link: text(block, 157, NAME_LENGTH),
  };
};

interface HeaderOwner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
}

/** Permission bits, owner and time in a header block that `decodeHeader` has read; NaN where they are no number. */
export const decodeOwner = (block: Buffer): HeaderOwner => ({
  mode: number(block, 100, 8) & 0o7777,
  uid: number(block, 108, 8),
  gid: number(block, 116, 8),
  mtime: number(block, 136, 12),
});

/** Records of a pax header (`LENGTH KEY=VALUE\n`). Throws RangeError when they are damaged. */
export const decodePax = (bytes: Buffer): Map<string, string> => {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(bytes.subarray(at, space).toString('latin1'));
    const end = at + length;
    if (!Number.isSafeInteger(length) || end > bytes.length || end <= space + 1)
      throw new RangeError('its pax records are damaged');
    const record = bytes.subarray(space + 1, end - 1).toString('utf8');
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
};
