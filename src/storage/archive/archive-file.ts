import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../../core/error.ts';
import { writeFully } from '../../core/file-bytes.ts';
import { fileError, withFileErrors } from '../../core/file-error.ts';
import { Gate } from '../../core/gate.ts';
import { BLOCK, endBlocks, fileHeader, padding } from '../../tar/header.ts';
import type { Slice } from '../../tar/index.ts';

/** Room at the archive's end that is being filled; nobody else can write until it is kept or dropped. */
export interface ArchiveSlot {
  write(chunk: Uint8Array): Promise<void>;
  /** Gives the entry its name; returns where its bytes lie. */
  keep(name: string): Promise<Slice>;
  /** Cuts the archive back to where the slot began. */
  drop(): Promise<void>;
}

/** A tar file that is being written under a temporary name beside its own. */
export class ArchiveFile {
  readonly path: string;
  readonly partial: string;
  readonly handle: FileHandle;
  readonly #gate = new Gate(1);
  #end = 0;

  private constructor(path: string, partial: string, handle: FileHandle) {
    this.path = path;
    this.partial = partial;
    this.handle = handle;
  }

  /** Begins an archive. Throws UserError `file` where none can be. */
  static async create(path: string): Promise<ArchiveFile> {
    // The rename would find it out too, but only when all is written and tags have moved elsewhere.
    if ((await stat(path).catch(() => undefined))?.isDirectory()) {
      throw new UserError('file', `cannot write ${path}: it is a folder`, { hint: 'Name a file in it.' });
    }
    const partial = `${path}.partial-${randomBytes(6).toString('hex')}`;
    return new ArchiveFile(path, partial, await withFileErrors(path, 'write', () => open(partial, 'wx+', 0o644)));
  }

  /** Adds a small file (or a folder, with a trailing slash) whole. */
  append(name: string, bytes: Uint8Array = Buffer.alloc(0)): Promise<Slice> {
    return this.#gate.run(async () => {
      const offset = this.#end + BLOCK;
      await this.#write(
        Buffer.concat([fileHeader(name, bytes.length), bytes, Buffer.alloc(padding(bytes.length))]),
        this.#end,
      );
      this.#end = offset + bytes.length + padding(bytes.length);
      return { offset, size: bytes.length };
    });
  }

  /** Waits for its turn and opens an entry whose name and size are known only at its end. */
  async reserve(): Promise<ArchiveSlot> {
    const release = await this.#gate.enter();
    const start = this.#end;
    const offset = start + BLOCK;
    let size = 0;
    // The header's room stays a hole until the entry is kept.
    return {
      write: async (chunk) => {
        const position = offset + size;
        size += chunk.length;
        await this.#write(chunk, position);
      },
      keep: async (name) => {
        await this.#write(Buffer.alloc(padding(size)), offset + size);
        await this.#write(fileHeader(name, size), start);
        this.#end = offset + size + padding(size);
        release();
        return { offset, size };
      },
      drop: async () => {
        try {
          await withFileErrors(this.path, 'write', () => this.handle.truncate(start));
        } finally {
          release();
        }
      },
    };
  }

  /** Ends the archive and puts it in its place. Throws UserError `file`. */
  async close(): Promise<void> {
    try {
      await this.#write(endBlocks(), this.#end);
      await this.handle.sync();
      await this.handle.close();
      await rename(this.partial, this.path);
      const folder = await open(dirname(this.path));
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      await this.abandon();
      throw fileError(error, this.path, 'write');
    }
  }

  /** Removes what was written. Never throws. */
  async abandon(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await rm(this.partial, { force: true }).catch(() => undefined);
  }

  #write(bytes: Uint8Array, position: number): Promise<void> {
    return withFileErrors(this.path, 'write', () => writeFully(this.handle, bytes, position));
  }
}
