/** A run of bytes of a disk that may hold something else than zeros. Both are in bytes, and whole multiples of 512 at least. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}
