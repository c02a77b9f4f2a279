import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { releaseMemory } from '../core/release-memory.ts';

/** What a compressor of Node 24 is inside. Each write sets in `_writeState` how many bytes of output and of input are left. */
interface Engine {
  readonly _handle?: {
    writeSync(
      flush: number,
      input: Uint8Array,
      at: number,
      size: number,
      output: Uint8Array,
      to: number,
      room: number,
    ): void;
  };
  readonly _writeState?: Uint32Array;
}

/** The newest version of Node that is known to be so. A wrong call of `writeSync` ends the process, so a newer one has to be tried first. */
const KNOWN = { major: 24, minor: 21 } as const;

function isKnown(version: string): boolean {
  const [major, minor = Number.NaN] = version.split('.').map(Number);
  return major === KNOWN.major && minor <= KNOWN.minor;
}

/** What a frame of `size` bytes takes at most (zstd.h, ZSTD_COMPRESSBOUND). */
const frameBound = (size: number): number => size + (size >>> 8) + Math.max(0, (128 * 1024 - size) >>> 11);

/** Options of Node's zstd for a frame of `size` bytes: where the output does not fit at once, zstd makes another frame. */
export const frameOptions = (level: number, size: number) => ({
  params: { [constants.ZSTD_c_compressionLevel]: level },
  chunkSize: frameBound(size),
});

/** The frame of `bytes`, on this thread, in a context of its own. */
export const frameHere = (bytes: Uint8Array, level: number): Uint8Array =>
  zstdCompressSync(bytes, frameOptions(level, bytes.length));

/** What makes frames as long as their level stays the same. */
interface Context {
  readonly level: number;
  readonly stream: ReturnType<typeof createZstdCompress>;
}

/**
 * Frames of zstd made on this thread, those for up to `most` bytes in one context, which is kept from layer to layer. `zstdCompressSync` makes a
 * context for each: its megabytes wait for the garbage collector, and for a small file it takes twice as long as to compress. Node has no public way
 * to keep one without a round trip to the thread pool a frame, so a way that is not public is taken on versions of Node it was tried with, and the
 * public one on any other. The bytes are the same.
 */
export class FramesHere {
  readonly #most: number;
  readonly #isKnown: boolean;
  #room: Buffer | undefined;
  #context: Context | undefined;
  #last: Uint8Array | undefined;

  constructor(most: number, version = process.versions.node) {
    this.#most = most;
    this.#isKnown = isKnown(version);
  }

  /** @internal Whether one context makes all frames, now that one was made. */
  get isKept(): boolean {
    return this.#context !== undefined && isEngine(this.#context.stream as Engine);
  }

  /** The frame of `bytes`, in memory that is gone with the next one. */
  frame(bytes: Uint8Array, level: number): Uint8Array {
    if (this.#last) releaseMemory(this.#last);
    this.#last = undefined;
    const frame = this.#kept(bytes, level);
    if (frame) return frame;
    this.#last = frameHere(bytes, level);
    return this.#last;
  }

  #kept(bytes: Uint8Array, level: number): Buffer | undefined {
    if (!this.#isKnown || bytes.length > this.#most) return;
    const { _handle: handle, _writeState: state } = this.#contextFor(level).stream as Engine;
    if (handle === undefined || state === undefined || !this.isKept) return;
    this.#room ??= Buffer.allocUnsafeSlow(frameBound(this.#most));
    const room = this.#room;
    handle.writeSync(constants.ZSTD_e_end, bytes, 0, bytes.length, room, 0, room.length);
    const [roomLeft = 0, bytesLeft = 0] = state;
    if (bytesLeft === 0 && roomLeft > 0) return room.subarray(0, room.length - roomLeft);
    // It is in the middle of this frame, and of no use for another.
    this.#drop();
    return;
  }

  #contextFor(level: number): Context {
    if (this.#context?.level !== level) this.#drop();
    this.#context ??= openContext(level);
    return this.#context;
  }

  #drop(): void {
    this.#context?.stream.destroy();
    this.#context = undefined;
  }
}

function openContext(level: number): Context {
  // Its own output is never used, so it is as small as may be.
  const stream = createZstdCompress(frameOptions(level, 0));
  // Where it fails, bytes are left, which is seen.
  stream.on('error', () => {});
  return { level, stream };
}

const isEngine = ({ _handle: handle, _writeState: state }: Engine): boolean =>
  typeof handle?.writeSync === 'function' && state instanceof Uint32Array;
