import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { releaseMemory } from '../core/release-memory.ts';
import { writeBlock } from './write-block.ts';
import { frameBound, frameOptions, ZstdContext } from './zstd-context.ts';

/** The newest version of Node that is known inside. A wrong call ends the process, so a newer one has to be tried first. */
const KNOWN = { major: 24, minor: 21 } as const;

function isKnown(version: string): boolean {
  const [major, minor = Number.NaN] = version.split('.').map(Number);
  return major === KNOWN.major && minor <= KNOWN.minor;
}

/** Bytes of the largest frame that is made in a context which is kept: a block of a layer. */
const MOST = 1024 * 1024;

/**
 * Frames of zstd, made in contexts that are kept: as many as there are frames made at once, as long as their level stays the same. Whatever Node has
 * publicly makes a context for each frame: its megabytes wait for the garbage collector, and for a small file it takes twice as long as to
 * compress. So a way that is not public is taken on versions of Node it was tried with, and the public one on any other. The bytes are the same.
 */
export class FrameMaker {
  readonly #isKnown: boolean;
  readonly #free: ZstdContext[] = [];
  #level: number | undefined;
  #room: Buffer | undefined;
  #last: Uint8Array | undefined;

  constructor(version = process.versions.node) {
    this.#isKnown = isKnown(version);
  }

  /** @internal Contexts that wait for the next frame. */
  get kept(): number {
    return this.#free.length;
  }

  /** The frame of `bytes`, made on this thread, in memory that is gone with the next one. */
  frame(bytes: Uint8Array, level: number): Uint8Array {
    if (this.#last) releaseMemory(this.#last);
    this.#last = undefined;
    const frame = this.#frameInKept(bytes, level);
    if (frame) return frame;
    this.#last = zstdCompressSync(bytes, frameOptions(level, bytes.length));
    return this.#last;
  }

  #frameInKept(bytes: Uint8Array, level: number): Uint8Array | undefined {
    const context = this.#take(bytes.length, level);
    if (context === undefined) return;
    this.#room ??= Buffer.allocUnsafeSlow(frameBound(MOST));
    const frame = context.frame(bytes, this.#room);
    // Otherwise it is in the middle of this frame, and of no use for another.
    if (frame) this.#give(context, level);
    else context.close();
    return frame;
  }

  /** The same frame, made on the thread pool, in memory of its own; `bytes` must stay as they are meanwhile. Rejects with what zstd fails with. */
  async frameOnPool(bytes: Uint8Array, level: number): Promise<Uint8Array> {
    const context = this.#take(bytes.length, level);
    if (context) {
      const frame = await context.frameOnPool(bytes);
      this.#give(context, level);
      return frame;
    }
    // Not `zstdCompress`: it learns the size of its input too late, and makes other frames.
    const stream = createZstdCompress({ ...frameOptions(level, bytes.length), flush: constants.ZSTD_e_end });
    // Ending it would add an empty frame.
    return writeBlock(stream, bytes).finally(() => stream.destroy());
  }

  #take(size: number, level: number): ZstdContext | undefined {
    if (!this.#isKnown || size > MOST) return undefined;
    if (level !== this.#level) for (const context of this.#free.splice(0)) context.close();
    this.#level = level;
    const context = this.#free.pop() ?? new ZstdContext(level, MOST);
    if (context.isUsable) return context;
    context.close();
    return undefined;
  }

  #give(context: ZstdContext, level: number): void {
    if (level === this.#level) this.#free.push(context);
    else context.close();
  }
}
