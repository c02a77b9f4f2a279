import { sum } from '../core/sum.ts';
import { BLOCK, encodeHeader, type Header, type HeaderFields, padding, TYPE, untilZero } from './header.ts';

/** A name and its value (POSIX.1-2017, pax, "pax Interchange Format"). */
export type PaxRecord = readonly [key: string, value: Uint8Array];

/** Bytes of `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function recordLength([key, value]: PaxRecord): number {
  const rest = Buffer.byteLength(key) + value.length + 3;
  const length = rest + String(rest).length;
  // Counting its own digits may have added one more.
  return String(length).length === String(rest).length ? length : rest + String(length).length;
}

/** The blocks that say more of the entry after them: a header, and as its content the records. */
export function paxBlocks(header: Omit<HeaderFields, 'type' | 'size'>, records: readonly PaxRecord[]): Buffer {
  const size = sum(records.map(recordLength));
  const blocks = Buffer.alloc(BLOCK + size + padding(size));
  encodeHeader({ ...header, type: TYPE.pax, size }, blocks.subarray(0, BLOCK));
  let at = BLOCK;
  for (const record of records) {
    const [key, value] = record;
    at += blocks.write(`${recordLength(record)} ${key}=`, at);
    blocks.set(value, at);
    at += value.length;
    at += blocks.write('\n', at);
  }
  return blocks;
}

/** @internal Records of a pax header. Throws RangeError when they are damaged. */
export function decodePax(bytes: Buffer): Map<string, string> {
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
}

/** No path of Linux is longer (limits.h, PATH_MAX). */
export const NAME_LIMIT = 4096;

/** Bytes of the records or the long name of one entry; more is an attack. */
const EXTENSION_LIMIT = 1024 * 1024;

/** Records of pax for one entry and for all after it, GNU's long link and long name. */
const EXTENSIONS = 'xgKL';

/** What is in a tar before the entry it belongs to and overrides its header: pax records, and GNU's long names. */
export class Extensions {
  readonly #records = new Map<string, string>();

  /** Whether the entry is such an extension, and not a file, link or folder. */
  static has({ type }: Header): boolean {
    return EXTENSIONS.includes(type);
  }

  /**
   * How many bytes of an extension have to be read: those for all entries (git's commit, for one) say nothing about a
   * single file. Throws RangeError when it is too long.
   */
  static contentSize({ type, size }: Header): number {
    if (type === 'g') return 0;
    if (size > EXTENSION_LIMIT) throw new RangeError('what comes before a file in it is longer than 1 MiB');
    return size;
  }

  /** Remembers an extension for the entry after it. Throws RangeError when it is damaged. */
  add({ type }: Header, content: Buffer): void {
    if (type === 'x') for (const [key, value] of decodePax(content)) this.#records.set(key, value);
    else if (type === 'L') this.#records.set('path', untilZero(content));
    else if (type === 'K') this.#records.set('linkpath', untilZero(content));
  }

  /** The header of the entry as it is meant; what stood before it is forgotten. Throws RangeError for a broken size. */
  apply(header: Header): Header {
    if (this.#records.size === 0) return header;
    const text = (key: string, otherwise: string): string => this.#records.get(key) ?? otherwise;
    const number = (key: string, otherwise: number): number => Number(this.#records.get(key) ?? otherwise);
    const size = this.#records.get('size');
    if (size !== undefined && !/^\d{1,15}$/.test(size)) throw new RangeError('a size in it is not a number');
    const applied = {
      ...header,
      name: text('GNU.sparse.name', text('path', header.name)),
      link: text('linkpath', header.link),
      size: number('size', header.size),
      uid: number('uid', header.uid),
      gid: number('gid', header.gid),
      mtime: Math.floor(number('mtime', header.mtime)),
    };
    this.#records.clear();
    return applied;
  }
}
