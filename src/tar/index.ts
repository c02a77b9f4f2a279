import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { posix } from 'node:path';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { BLOCK, decodeHeader, type Header, padding, TYPE } from './header.ts';
import { Extensions, NAME_LIMIT } from './pax.ts';

/** Where a file's bytes lie in an archive. */
export interface Slice {
  readonly offset: number;
  readonly size: number;
}

// An image has some hundred files; each costs memory here.
const ENTRY_LIMIT = 100_000;
// All names in bytes, with what comes before files to give them longer ones.
const NAMES_LIMIT = 64 * 1024 * 1024;
const LINK_DEPTH = 4;
// A file, to be laid out in one piece on disk if that is possible (POSIX.1-2017, ustar, typeflag 7).
const CONTIGUOUS_FILE = '7';

const damaged = (path: string, what: string): UserError =>
  new UserError('file', `${path} is not a readable archive: ${what}`, {
    hint: 'Check that it is a tar made by docker save, podman save, skopeo or dockerTools, and whole.',
  });

function checkName(path: string, name: string): string {
  if (name.length > NAME_LIMIT) throw damaged(path, `a name in it is longer than ${NAME_LIMIT} characters`);
  const plain = posix.normalize(name).replace(/\/$/, '');
  if (plain.startsWith('/') || plain === '..' || plain.startsWith('../'))
    throw damaged(path, `${JSON.stringify(name)} leads out of it`);
  return plain;
}

/** A tar file, indexed once; nothing of it is unpacked to disk. */
export class ArchiveIndex {
  readonly path: string;
  readonly handle: FileHandle;
  readonly #fileSize: number;
  readonly #files = new Map<string, Slice>();
  readonly #links = new Map<string, string>();
  #nameBytes = 0;

  private constructor(path: string, handle: FileHandle, fileSize: number) {
    this.path = path;
    this.handle = handle;
    this.#fileSize = fileSize;
  }

  /** Takes ownership of an open file. Throws UserError `file` when it is not a tar or is cut off; the file is closed then. */
  static async over(path: string, handle: FileHandle): Promise<ArchiveIndex> {
    try {
      const index = new ArchiveIndex(path, handle, (await handle.stat()).size);
      await index.#scan();
      return index;
    } catch (error) {
      await handle.close();
      throw error instanceof RangeError ? damaged(path, error.message) : error;
    }
  }

  /** Where the file `name` lies, links within the archive followed; undefined when it is not there. */
  find(name: string): Slice | undefined {
    let at = posix.normalize(name);
    for (let depth = 0; depth < LINK_DEPTH; depth += 1) {
      const slice = this.#files.get(at);
      if (slice !== undefined) return slice;
      const target = this.#links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    return undefined;
  }

  /** Reads a small file whole. Throws UserError `file` when it is missing or larger than `limit` bytes. */
  async readSmall(name: string, limit: number): Promise<Buffer> {
    const slice = this.find(name);
    if (slice === undefined) throw damaged(this.path, `it has no ${name}`);
    if (slice.size > limit) throw damaged(this.path, `${name} is larger than ${limit} bytes`);
    return this.#read(slice.offset, slice.size);
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  async #scan(): Promise<void> {
    const extensions = new Extensions();
    let at = 0;
    for (let count = 0; at + BLOCK <= this.#fileSize; count += 1) {
      const header = decodeHeader(await this.#read(at, BLOCK));
      if (header === undefined) return;
      if (count >= ENTRY_LIMIT) throw damaged(this.path, `it has more than ${ENTRY_LIMIT} entries`);
      const isExtension = Extensions.has(header);
      const entry = isExtension ? header : extensions.apply(header);
      const offset = at + BLOCK;
      if (offset + entry.size > this.#fileSize) throw damaged(this.path, 'it ends in the middle of a file');
      if (isExtension) {
        const size = Extensions.contentSize(header);
        this.#count(size);
        extensions.add(header, await this.#read(offset, size));
      } else this.#add(entry, offset);
      at = offset + entry.size + padding(entry.size);
    }
    if (at === 0) throw damaged(this.path, 'it is empty');
  }

  #add({ type, name: written, link, size }: Header, offset: number): void {
    const name = checkName(this.path, written);
    if (link.length > NAME_LIMIT) throw damaged(this.path, `a link in it is longer than ${NAME_LIMIT} characters`);
    this.#count(name.length + link.length);
    // An entry that comes again replaces the one before it, as when unpacking.
    this.#files.delete(name);
    this.#links.delete(name);
    if (type === TYPE.file || type === CONTIGUOUS_FILE) this.#files.set(name, { offset, size });
    if (type === TYPE.hardLink) this.#links.set(name, posix.normalize(link));
    if (type === TYPE.symlink) this.#links.set(name, posix.normalize(posix.join(posix.dirname(name), link)));
  }

  #count(bytes: number): void {
    this.#nameBytes += bytes;
    if (this.#nameBytes > NAMES_LIMIT)
      throw damaged(this.path, `the names in it take more than ${NAMES_LIMIT / 1024 ** 2} MiB`);
  }

  async #read(offset: number, size: number): Promise<Buffer> {
    const buffer = Buffer.alloc(size);
    const { bytesRead } = await withFileErrors(this.path, 'read', () => this.handle.read(buffer, 0, size, offset));
    if (bytesRead < size) throw damaged(this.path, 'it ends in the middle of a file');
    return buffer;
  }
}

/** Opens a plain file for reading. Throws UserError `file` when it is missing or something else. */
export const openPlainFile = async (path: string): Promise<FileHandle> =>
  withFileErrors(path, 'read', async () => {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw new UserError('file', `${path} is not a file`, {
      hint: 'Name an archive; a layout folder is written oci:DIR.',
    });
  });
