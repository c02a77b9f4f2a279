import { constants, createZstdCompress } from 'node:zlib';
import { frameBound, frameHere, releaseMemory } from '../codec.ts';

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

/** The versions of Node that are known to be so: a wrong call of `writeSync` ends the process. */
const KNOWN = /^24\./;

/**
 * Frames of zstd made on this thread, those for up to `most` bytes in one context. A layer of small files has two for each of them, and
 * `zstdCompressSync` makes a context for each: that takes twice as long as to compress, and its memory waits for the garbage collector. Node has no
 * public way to keep one without a round trip to the thread pool a frame, so a way that is not public is taken on the Node it was tried with, and the
 * public one on any other. The bytes are the same.
 */
export class FramesHere {
  readonly #level: number;
  readonly #most: number;
  readonly #room: Buffer;
  readonly #stream: ReturnType<typeof createZstdCompress> | undefined;

  constructor(level: number, most: number, version = process.versions.node) {
    this.#level = level;
    this.#most = most;
    this.#room = Buffer.allocUnsafeSlow(frameBound(most));
    if (!KNOWN.test(version)) return;
    this.#stream = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level }, chunkSize: 1024 });
    // Where it fails, bytes are left, which is seen.
    this.#stream.on('error', () => {});
  }

  /** @internal Whether one context makes all frames. */
  get isKept(): boolean {
    const { _handle: handle, _writeState: state } = (this.#stream ?? {}) as Engine;
    return typeof handle?.writeSync === 'function' && state instanceof Uint32Array;
  }

  /** The frame of `bytes`. */
  frame(bytes: Uint8Array): Uint8Array {
    return this.#kept(bytes) ?? frameHere(bytes, this.#level);
  }

  /** Frees the context; frames can still be made. */
  close(): void {
    this.#stream?.destroy();
    releaseMemory(this.#room);
  }

  #kept(bytes: Uint8Array): Buffer | undefined {
    if (!this.isKept || bytes.length > this.#most) return;
    const { _handle: handle, _writeState: state } = this.#stream as Engine;
    const room = this.#room;
    handle?.writeSync(constants.ZSTD_e_end, bytes, 0, bytes.length, room, 0, room.length);
    const [roomLeft = 0, bytesLeft = 0] = state ?? [];
    if (bytesLeft === 0 && roomLeft > 0) return Buffer.from(room.subarray(0, room.length - roomLeft));
    // It is in the middle of this frame.
    this.#stream?.destroy();
    return;
  }
}
