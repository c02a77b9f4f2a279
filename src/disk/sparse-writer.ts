import { dataRuns } from '../core/data-runs.ts';
import { type WritableFile, writeFully } from '../core/file-bytes.ts';

/** Writes a stream of bytes into a file of holes, from one place on, and leaves out blocks of zeros. */
export class SparseWriter {
  readonly #file: WritableFile;
  #position: number;
  #written = 0;

  /** `file` must have nothing but a hole where this writes; `position` in bytes. */
  constructor(file: WritableFile, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** Where the next bytes go. */
  get position(): number {
    return this.#position;
  }

  /** Bytes that were not left out. */
  get written(): number {
    return this.#written;
  }

  /** Takes the next bytes; they may be used again when it resolves. */
  async write(bytes: Uint8Array): Promise<void> {
    for (const { from, to } of dataRuns(bytes, this.#position)) {
      await writeFully(this.#file, bytes.subarray(from, to), this.#position + from);
      this.#written += to - from;
    }
    this.#position += bytes.length;
  }
}
