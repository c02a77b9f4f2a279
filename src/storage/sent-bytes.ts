import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';

/** Bytes of blobs that were really sent or written, counted for each blob. */
export class SentBytes {
  #total = 0;
  readonly #untold = new Map<Digest, number>();

  get total(): number {
    return this.#total;
  }

  add({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): void {
    this.#total += size;
    this.#untold.set(digest, (this.#untold.get(digest) ?? 0) + size);
  }

  /** Those of one blob since they were asked for last, so that none is counted for two images. */
  take(digest: Digest): number {
    const bytes = this.#untold.get(digest) ?? 0;
    this.#untold.delete(digest);
    return bytes;
  }
}
