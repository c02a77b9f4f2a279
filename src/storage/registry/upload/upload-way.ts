/**
 * How a blob goes up. `stream`: in one PATCH without Content-Range, as docker, skopeo and crane do; what every registry takes.
 * `chunks`: in several with Content-Range (distribution-spec, "Pushing a blob in chunks"), which can be resumed, but which
 * some registries refuse, or take up to a size only.
 */
type UploadWay = 'stream' | 'chunks';

const OTHER = { stream: 'chunks', chunks: 'stream' } as const;

/**
 * Bytes of a chunk: large enough that round trips do not count and above the 5 MiB that registries on object stores
 * want; no larger, because it must be kept until it has arrived.
 */
export const CHUNK_SIZE = 8 * 1024 * 1024;

/** What has been learned of one repository: by which way it takes blobs. */
export class UploadWays {
  readonly #refused = new Set<UploadWay>();
  #preferred: UploadWay = 'stream';

  /** The way for an upload whose registry announced chunks of at least `minimumChunk` bytes; 0 where it announced nothing. */
  choose(minimumChunk: number): UploadWay {
    // Larger chunks would have to be kept in memory.
    if (minimumChunk > CHUNK_SIZE) return 'stream';
    const wanted = minimumChunk > 0 ? 'chunks' : this.#preferred;
    return this.#refused.has(wanted) ? OTHER[wanted] : wanted;
  }

  /** Notes that the registry does not take `way`. Returns whether another is left. */
  refuse(way: UploadWay): boolean {
    this.#refused.add(way);
    return !this.#refused.has(OTHER[way]);
  }

  /** Notes that chunks could not be resumed, so that they are not better than a stream, where that is taken. */
  avoidChunks(): void {
    if (!this.#refused.has('stream')) this.#refused.add('chunks');
  }

  /** Notes that the line does not hold for a whole blob: chunks lose less, where they are taken. */
  preferChunks(): void {
    this.#preferred = 'chunks';
  }
}
