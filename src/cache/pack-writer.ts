import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFully } from '../core/file-bytes.ts';
import { fileError, withFileErrors } from '../core/file-error.ts';
import type { StorePathInfo } from '../definition/closure.ts';
import type { Piece } from './cache-index.ts';
import { checkedNar } from './checked-nar.ts';
import { zstdFrame } from './zstd-frame.ts';

/** Bytes of a pack. GitHub's client holds several times as much in memory: 168 MB for 64 MB, 345 MB for 256 MB. */
export const PACK_LIMIT = 64_000_000;

/** Bytes from which on a pack is worth an entry of its own: fetching it takes as long as asking for it. */
export const LEAST_PACK = 8_000_000;

/** A pack that is complete, as a file that belongs to whoever is given it. */
export interface PackFile {
  /** Counted from 0, as in the pieces that `add` gave. */
  readonly number: number;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** @internal */
export interface PackWriterOptions {
  /** Where packs are written: room for two of them is needed. */
  readonly folder: string;
  /** Bytes of a pack. */
  readonly limit?: number;
  /** Takes each pack as it is complete. The next one is written meanwhile, and no further one before this has ended. */
  readonly onPack: (pack: PackFile) => Promise<void>;
}

/** The pack that is being written. */
interface OpenPack {
  readonly number: number;
  readonly file: string;
  readonly handle: FileHandle;
  hash: Hash;
  bytes: number;
}

/**
 * Puts NARs into packs: a zstd frame each, one behind the other, cut where a pack is full, so that memory does not grow with
 * a path. One `add` at a time. What `onPack` throws is thrown by a later call.
 */
export class PackWriter {
  readonly #options: Required<PackWriterOptions>;
  #pack: OpenPack | undefined;
  #next = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(options: PackWriterOptions) {
    this.#options = { limit: PACK_LIMIT, ...options };
  }

  /**
   * Adds a path by its NAR, and gives where its frame is. Throws UserError `digest` when the NAR is not that of `info`, UserError
   * `file` when the disk is full, and what the stream throws; nothing of the path is in the packs then but, where a pack was full
   * meanwhile, some bytes at its end.
   */
  add(info: StorePathInfo, nar: AsyncIterable<Uint8Array>): Promise<Piece[]> {
    return this.addFrame(zstdFrame(checkedNar(info, nar)));
  }

  /** Adds a frame as it is: of a pack whose other paths are not kept. Throws what the stream throws, and UserError `file`. */
  async addFrame(frame: AsyncIterable<Uint8Array>): Promise<Piece[]> {
    const pieces: Piece[] = [];
    const before = this.#pack && { bytes: this.#pack.bytes, hash: this.#pack.hash.copy(), number: this.#pack.number };
    try {
      for await (const chunk of frame) await this.#write(chunk, pieces);
      return pieces;
    } catch (error) {
      await this.#takeBack(before);
      throw error;
    }
  }

  async #write(chunk: Uint8Array, pieces: Piece[]): Promise<void> {
    for (let rest = chunk; rest.length > 0; ) {
      const pack = this.#pack ?? (await this.#open());
      const part = rest.subarray(0, this.#options.limit - pack.bytes);
      await withFileErrors(pack.file, 'write', () => writeFully(pack.handle, part, pack.bytes));
      const last = pieces.at(-1);
      if (last?.pack === pack.number) pieces[pieces.length - 1] = { ...last, length: last.length + part.length };
      else pieces.push({ pack: pack.number, offset: pack.bytes, length: part.length });
      pack.hash.update(part);
      pack.bytes += part.length;
      rest = rest.subarray(part.length);
      if (pack.bytes === this.#options.limit) await this.#close(pack);
    }
  }

  async #open(): Promise<OpenPack> {
    const number = this.#next++;
    const file = join(this.#options.folder, `pack-${number}`);
    try {
      this.#pack = { number, file, handle: await open(file, 'wx', 0o600), hash: createHash('sha256'), bytes: 0 };
      return this.#pack;
    } catch (error) {
      throw fileError(error, file, 'write');
    }
  }

  async #close({ number, file, handle, hash, bytes }: OpenPack): Promise<void> {
    this.#pack = undefined;
    await handle.close();
    await this.#sending;
    this.#sending = this.#options.onPack({ number, file, bytes, sha256: hash.digest('hex') });
    // Thrown when it is waited for; until then it must not end the process.
    this.#sending.catch(() => undefined);
  }

  /** The open pack as it was before a frame that is not whole. */
  async #takeBack(before: Pick<OpenPack, 'bytes' | 'hash' | 'number'> | undefined): Promise<void> {
    const pack = this.#pack;
    if (!pack) return;
    const isSame = before?.number === pack.number;
    pack.bytes = isSame ? before.bytes : 0;
    pack.hash = isSame ? before.hash : createHash('sha256');
    await pack.handle.truncate(pack.bytes);
  }

  /** Begins another pack, unless the one that is written is small still. */
  async cut(): Promise<void> {
    if (this.#pack && this.#pack.bytes >= Math.min(LEAST_PACK, this.#options.limit)) await this.#close(this.#pack);
  }

  /** Completes the last pack and waits until all of them are taken. */
  async end(): Promise<void> {
    if (this.#pack && this.#pack.bytes > 0) await this.#close(this.#pack);
    await this.#pack?.handle.close();
    this.#pack = undefined;
    await this.#sending;
  }

  /** Gives up what is not complete. Never throws. */
  async abandon(): Promise<void> {
    await this.#pack?.handle.close().catch(() => undefined);
    this.#pack = undefined;
    await this.#sending.catch(() => undefined);
  }
}
