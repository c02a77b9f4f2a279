import { createHash, hash as hashOnce } from 'node:crypto';
import { contentSize, type TarEntry } from '../../tar/entry.ts';
import { padding } from '../../tar/header.ts';
import { CHUNK, chunkEnd } from './chunk-end.ts';
import { Crc64 } from './crc64.ts';
import type { LayerIndex } from './layer-index.ts';
import type { ContentChunk } from './toc-row.ts';

/** Bytes of headers in one frame: where there are links and folders alone, as of a merged root. */
const HEADERS = 256 * 1024;

/** What becomes a frame of its own. */
export interface TarPiece {
  readonly bytes: Uint8Array;
  /** Whether its memory is of the block that it was cut from, or its own. */
  readonly isOfBlock: boolean;
  /** Is told, in the order of the pieces, which bytes of the layer its frame has. */
  placed(offset: number, end: number): void;
}

const joined = (parts: readonly Buffer[]): Buffer => (parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts));

const digestOf = (bytes: Uint8Array): string => `sha256:${hashOnce('sha256', bytes, 'hex')}`;

/** An entry whose header begins in what was given, with the length of that. */
interface Announced {
  readonly entry: TarEntry;
  readonly headerLength: number;
}

/** A file whose content is being cut. */
class OpenFile {
  readonly entry: TarEntry;
  readonly sum = new Crc64();
  readonly chunks: ContentChunk[] = [];
  /** Bytes of it that are not in a piece yet. */
  left: number;
  digest = '';
  readonly #hash = createHash('sha256');
  readonly #isOneChunk: boolean;

  constructor(entry: TarEntry) {
    this.entry = entry;
    this.left = contentSize(entry);
    this.#isOneChunk = this.left <= CHUNK.whole;
  }

  /** Takes the next chunk; returns its digest. */
  take(bytes: Uint8Array): string {
    this.left -= bytes.length;
    this.sum.update(bytes);
    const digest = digestOf(bytes);
    if (!this.#isOneChunk) this.#hash.update(bytes);
    if (this.left === 0) this.digest = this.#isOneChunk ? digest : `sha256:${this.#hash.digest('hex')}`;
    return digest;
  }
}

/**
 * Cuts the blocks of a tar into what a zstd:chunked layer has in frames of its own: each file's content, in chunks where it is large, and what is
 * between them. Tells `index` of everything.
 */
export class TarCutter {
  readonly #index: LayerIndex;
  readonly #announced: Announced[] = [];
  /** What is behind the last content, up to the end of the next header. */
  #segment: Buffer[] = [];
  #segmentLength = 0;
  #padding = 0;
  /** Segments that are not in a piece yet, and the entries without content that they are of. */
  #gap: Buffer[] = [];
  #gapLength = 0;
  #gapEntries: TarEntry[] = [];
  #file: OpenFile | undefined;
  /** A chunk that began in a block before, and how much of it is there. */
  #begun: { readonly memory: Buffer; used: number } | undefined;

  constructor(index: LayerIndex) {
    this.#index = index;
  }

  /** Tells of an entry, in the order of the tar, before the block comes in which its header begins. */
  announce(entry: TarEntry, headerLength: number): void {
    this.#announced.push({ entry, headerLength });
  }

  /** The pieces that end in a block; what it has behind them is copied. */
  *cut(block: Uint8Array): Generator<TarPiece> {
    for (let rest = block; rest.length > 0; ) {
      rest = this.#file ? yield* this.#cutContent(this.#file, rest) : yield* this.#cutGap(rest);
    }
  }

  /** What is left behind the last entry. */
  *end(): Generator<TarPiece> {
    this.#endSegment();
    yield* this.#endGap();
  }

  *#cutGap(bytes: Uint8Array): Generator<TarPiece, Uint8Array> {
    const [next] = this.#announced;
    // Without one it is the padding of the last content, or the end of the tar.
    const length = next ? this.#padding + next.headerLength - this.#segmentLength : bytes.length;
    const part = bytes.subarray(0, length);
    // The block is used again.
    this.#segment.push(Buffer.from(part));
    this.#segmentLength += part.length;
    if (next && part.length === length) {
      this.#announced.shift();
      yield* this.#begin(next.entry);
    }
    return bytes.subarray(part.length);
  }

  /** Begins an entry behind its header. */
  *#begin(entry: TarEntry): Generator<TarPiece> {
    this.#endSegment();
    const size = contentSize(entry);
    this.#padding = padding(size);
    if (size > 0) {
      yield* this.#endGap();
      this.#file = new OpenFile(entry);
      return;
    }
    this.#index.addEntry(entry);
    this.#gapEntries.push(entry);
    if (this.#gapLength >= HEADERS) yield* this.#endGap();
  }

  #endSegment(): void {
    const bytes = joined(this.#segment);
    this.#index.addSegment(bytes);
    this.#gap.push(bytes);
    this.#gapLength += bytes.length;
    this.#segment = [];
    this.#segmentLength = 0;
  }

  *#endGap(): Generator<TarPiece> {
    const entries = this.#gapEntries;
    const bytes = joined(this.#gap);
    this.#gap = [];
    this.#gapLength = 0;
    this.#gapEntries = [];
    const placed = (): void => {
      for (const entry of entries) this.#index.addRows(entry);
    };
    yield { bytes, isOfBlock: false, placed };
  }

  *#cutContent(file: OpenFile, bytes: Uint8Array): Generator<TarPiece, Uint8Array> {
    const content = bytes.subarray(0, file.left);
    const begun = this.#begun;
    if (begun === undefined) {
      const end = chunkEnd(content, file.left);
      if (end > 0) {
        yield this.#chunk(file, content.subarray(0, end), true);
        return bytes.subarray(end);
      }
      const memory = Buffer.allocUnsafeSlow(Math.min(file.left, CHUNK.most));
      memory.set(content);
      this.#begun = { memory, used: content.length };
      return bytes.subarray(content.length);
    }
    const { memory, used } = begun;
    const part = bytes.subarray(0, memory.length - used);
    memory.set(part, used);
    const end = chunkEnd(memory.subarray(0, used + part.length), file.left);
    if (end === 0) {
      begun.used += part.length;
      return bytes.subarray(part.length);
    }
    this.#begun = undefined;
    yield this.#chunk(file, memory.subarray(0, end), false);
    return bytes.subarray(end - used);
  }

  #chunk(file: OpenFile, bytes: Uint8Array, isOfBlock: boolean): TarPiece {
    const { entry, chunks } = file;
    const digest = file.take(bytes);
    const size = bytes.length;
    const isLast = file.left === 0;
    if (isLast) {
      this.#index.addEntry(entry, file.sum.digest());
      this.#file = undefined;
    }
    const placed = (offset: number, end: number): void => {
      chunks.push({ offset, end, size, digest });
      if (isLast) this.#index.addRows(entry, { digest: file.digest, chunks });
    };
    return { bytes, isOfBlock, placed };
  }
}
