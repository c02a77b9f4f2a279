/** A file of an archive: its name, and the beginning of its content. */
interface CpioFile {
  readonly name: string;
  readonly head: Buffer;
}

/** Of cpio's "newc" format, the only one that Linux reads: 6 characters of magic, 13 fields of 8 hexadecimal digits. */
const HEADER = 110;
const FIELD = { mode: 1, size: 6, nameSize: 11 } as const;
const TRAILER = 'TRAILER!!!';

/** File types of a mode; regular files are looked into. */
const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;

/** Bytes of each file that are given. */
const HEAD = 64;

/** Names longer than a path may be are no names. */
const LONGEST_NAME = 4096;

const aligned = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Reads the beginnings of the files of a cpio archive as its bytes come. */
export class CpioReader {
  #rest = Buffer.alloc(0);
  /** Bytes of content that are passed over. */
  #skip = 0;
  #position = 0;
  /** Files, folders and links so far. */
  entries = 0;
  /** Bytes up to the archive's end, once that has come. */
  end: number | undefined;
  isDamaged = false;

  /** The files whose beginning is there now. */
  push(chunk: Uint8Array): CpioFile[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const files: CpioFile[] = [];
    while (this.end === undefined && !this.isDamaged) {
      const passed = Math.min(this.#skip, this.#rest.length);
      this.#take(passed);
      this.#skip -= passed;
      if (this.#skip > 0 || this.#rest.length < HEADER) break;
      const file = this.#next();
      if (file === undefined) break;
      if (file.head.length > 0) files.push(file);
    }
    return files;
  }

  #take(bytes: number): void {
    this.#rest = this.#rest.subarray(bytes);
    this.#position += bytes;
  }

  /** The next entry; undefined until enough of it has come, and where there is none. */
  #next(): CpioFile | undefined {
    const field = (index: number): number =>
      Number.parseInt(this.#rest.toString('latin1', 6 + index * 8, 14 + index * 8), 16);
    const size = field(FIELD.size);
    const nameSize = field(FIELD.nameSize);
    const isHeader = /^07070[12]$/.test(this.#rest.toString('latin1', 0, 6));
    if (!isHeader || Number.isNaN(size) || !(nameSize > 0 && nameSize <= LONGEST_NAME)) {
      this.isDamaged = true;
      return undefined;
    }
    const start = aligned(HEADER + nameSize);
    const isRegular = (field(FIELD.mode) & TYPE_MASK) === REGULAR;
    const wanted = isRegular ? Math.min(size, HEAD) : 0;
    if (this.#rest.length < start + wanted) return undefined;
    const name = this.#rest.toString('latin1', HEADER, HEADER + nameSize - 1);
    const head = Buffer.from(this.#rest.subarray(start, start + wanted));
    this.#take(start);
    if (name === TRAILER) {
      this.end = this.#position;
      return undefined;
    }
    this.#skip = aligned(size);
    this.entries += 1;
    return { name, head };
  }
}
