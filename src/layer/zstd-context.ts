import { constants, createZstdCompress } from 'node:zlib';
import { writeBlock } from './write-block.ts';

type Stream = ReturnType<typeof createZstdCompress>;

/**
 * What a compressor of Node 24 is inside. A write leaves in `_writeState` how many bytes of output and of input are left; output goes into
 * `_outBuffer` from `_outOffset` on.
 */
interface Inside {
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
  _outBuffer?: Buffer;
  _outOffset?: number;
}

/** What a frame of `size` bytes takes at most (zstd.h, ZSTD_COMPRESSBOUND). */
export const frameBound = (size: number): number => size + (size >>> 8) + (Math.max(0, 128 * 1024 - size) >>> 11);

/** Options of Node's zstd for frames of up to `most` bytes: where the output does not fit at once, zstd makes another frame. */
export const frameOptions = (level: number, most: number) => ({
  params: { [constants.ZSTD_c_compressionLevel]: level },
  chunkSize: frameBound(most),
});

/** A context of zstd for one frame after the other, by ways of Node 24 that are not public. */
export class ZstdContext {
  readonly #stream: Stream;
  readonly #room: number;

  /** For frames of up to `most` bytes. */
  constructor(level: number, most: number) {
    const options = frameOptions(level, most);
    this.#stream = createZstdCompress({ ...options, flush: constants.ZSTD_e_end });
    this.#room = options.chunkSize;
    // Where it fails bytes are left, or the write says so.
    this.#stream.on('error', () => {});
  }

  /** Whether Node is inside as it has to be. */
  get isUsable(): boolean {
    const { _handle: handle, _writeState: state, _outBuffer: buffer, _outOffset: offset } = this.#inside;
    const isEngine = typeof handle?.writeSync === 'function' && state instanceof Uint32Array;
    return isEngine && buffer instanceof Uint8Array && typeof offset === 'number';
  }

  get #inside(): Inside {
    return this.#stream as Inside;
  }

  /** The frame of `bytes`, made on this thread into `room`; undefined where it was not made, and the context is of no more use. */
  frame(bytes: Uint8Array, room: Buffer): Buffer | undefined {
    const { _handle: handle, _writeState: state } = this.#inside;
    // A write that fails leaves what the one before it left, which would pass for this frame.
    state?.fill(1);
    handle?.writeSync(constants.ZSTD_e_end, bytes, 0, bytes.length, room, 0, room.length);
    const [roomLeft = 0, bytesLeft = 1] = state ?? [];
    return bytesLeft === 0 && roomLeft > 0 ? room.subarray(0, room.length - roomLeft) : undefined;
  }

  /** The same frame, made on the thread pool into memory of its own. */
  frameOnPool(bytes: Uint8Array): Promise<Uint8Array> {
    const inside = this.#inside;
    // What is left of the memory of the frame before would cut this one in two.
    inside._outBuffer = Buffer.allocUnsafeSlow(this.#room);
    inside._outOffset = 0;
    return writeBlock(this.#stream, bytes);
  }

  close(): void {
    this.#stream.destroy();
  }
}
