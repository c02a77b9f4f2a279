import { releaseMemory } from '../../core/release-memory.ts';
import { MEDIA_TYPE } from '../../oci/media-type.ts';
import type { TarEntry } from '../../tar/entry.ts';
import type { Blocks, Codec, CompressOptions, Release } from '../codec.ts';
import type { FrameMaker } from '../frame-maker.ts';
import { LayerIndex } from './layer-index.ts';
import { TarCutter, type TarPiece } from './tar-cutter.ts';

/** Bytes from which a piece is worth its way through the thread pool. */
const POOLED = 64 * 1024;

/** Frames up to `frame` bytes are gathered, for most files of a layer are small: `room` bytes at once cost what one of them would. */
const GATHERED = { frame: 32 * 1024, room: 256 * 1024 } as const;

/** A block, as long as it or a piece of it is in use. */
class HeldBlock {
  readonly #block: Uint8Array;
  readonly #release: Release;
  #users = 1;

  constructor(block: Uint8Array, release: Release) {
    this.#block = block;
    this.#release = release;
  }

  hold(): void {
    this.#users += 1;
  }

  letGo(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#release(this.#block);
  }
}

interface Queued {
  readonly piece: TarPiece;
  readonly frame: Uint8Array | Promise<Uint8Array>;
}

/**
 * zstd:chunked (containers/storage, pkg/chunked/compressor): frames that follow the files of a tar, and behind them in frames that are skipped
 * where each file lies. To a decoder of zstd it is the tar. Good for one layer, whose entries are to be announced before their blocks come. The
 * bytes depend on neither blocks nor threads.
 */
export class ChunkedCodec implements Codec {
  readonly name = 'zstd';
  readonly mediaType: string = MEDIA_TYPE.layerZstd;
  readonly #level: number;
  readonly #maker: FrameMaker;
  readonly #index = new LayerIndex();
  readonly #cutter = new TarCutter(this.#index);
  #annotations: Readonly<Record<string, string>> = {};

  /** Frames are made by `maker`. */
  constructor(level: number, maker: FrameMaker) {
    this.#level = level;
    this.#maker = maker;
  }

  /** Tells of an entry, in the order of the tar, before the block comes in which its header begins. */
  announce(entry: TarEntry, headerLength: number): void {
    this.#cutter.announce(entry, headerLength);
  }

  annotations(): Readonly<Record<string, string>> {
    return this.#annotations;
  }

  async *compress(blocks: Blocks, options: CompressOptions): AsyncGenerator<Uint8Array> {
    let offset = 0;
    let used = 0;
    const room = Buffer.allocUnsafeSlow(GATHERED.room);
    try {
      for await (const { piece, frame } of this.#frames(blocks, options)) {
        piece.placed(offset, offset + frame.length);
        offset += frame.length;
        const isSmall = frame.length <= GATHERED.frame;
        if (used > 0 && (!isSmall || used + frame.length > room.length)) {
          yield room.subarray(0, used);
          used = 0;
        }
        if (isSmall) {
          room.set(frame, used);
          used += frame.length;
        } else yield frame;
        // A small frame may lie in as much memory as its content had.
        releaseMemory(frame);
      }
      if (used > 0) yield room.subarray(0, used);
      const { bytes, annotations } = await this.#index.end(offset);
      this.#annotations = annotations;
      if (bytes.length > 0) yield bytes;
    } finally {
      releaseMemory(room);
      this.#index.close();
    }
  }

  /** The frames of all pieces, in their order. */
  async *#frames(
    blocks: Blocks,
    { parallel, release = () => {} }: CompressOptions,
  ): AsyncGenerator<Queued & { readonly frame: Uint8Array }> {
    const queue: Queued[] = [];
    let pooled = 0;
    async function* first(): AsyncGenerator<Queued & { readonly frame: Uint8Array }> {
      const { piece, frame } = queue.shift() as Queued;
      if (frame instanceof Promise) pooled -= 1;
      yield { piece, frame: await frame };
    }
    try {
      for await (const { piece, held } of this.#pieces(blocks, release)) {
        const isLarge = piece.bytes.length >= POOLED;
        const atOnce = typeof parallel === 'number' ? parallel : parallel();
        // Small ones wait behind large ones of the pool, which are a few blocks at most.
        if (isLarge) while (pooled >= atOnce) yield* first();
        if (isLarge && atOnce > 1) {
          pooled += 1;
          held?.hold();
          const used = (): void => letGo(piece, held);
          queue.push({ piece, frame: this.#maker.frameOnPool(piece.bytes, this.#level).finally(used) });
        } else {
          queue.push({ piece, frame: Buffer.from(this.#maker.frame(piece.bytes, this.#level)) });
          letGo(piece);
        }
        while (queue[0] && !(queue[0].frame instanceof Promise)) yield* first();
      }
      while (queue.length > 0) yield* first();
    } finally {
      // What is still in the pool when the reader gives up must not become an unhandled rejection.
      await Promise.allSettled(queue.map(({ frame }) => frame));
    }
  }

  async *#pieces(
    blocks: Blocks,
    release: Release,
  ): AsyncGenerator<{ readonly piece: TarPiece; readonly held?: HeldBlock }> {
    for await (const block of blocks) {
      const held = new HeldBlock(block, release);
      for (const piece of this.#cutter.cut(block)) yield { piece, held };
      held.letGo();
      await this.#index.settle();
    }
    for (const piece of this.#cutter.end()) yield { piece };
  }
}

function letGo({ bytes, isOfBlock }: TarPiece, held?: HeldBlock): void {
  if (!isOfBlock) releaseMemory(bytes);
  held?.letGo();
}
