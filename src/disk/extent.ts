/** A run of bytes of a disk that may hold something else than zeros. Both are in bytes, and whole multiples of 512 at least. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

export const extentEnd = ({ offset, length }: Extent): number => offset + length;

/** Bytes in all of them. */
export const dataBytes = (extents: readonly Extent[]): number => extents.reduce((sum, { length }) => sum + length, 0);

/** The same bytes by as few extents as there can be, ascending: those that touch or overlap become one. `extents` may come in any order. */
export function joinExtents(extents: readonly Extent[]): Extent[] {
  const joined: { offset: number; length: number }[] = [];
  for (const extent of [...extents].sort((a, b) => a.offset - b.offset)) {
    const last = joined.at(-1);
    if (last && extent.offset <= extentEnd(last)) {
      last.length = Math.max(last.length, extentEnd(extent) - last.offset);
    } else joined.push({ ...extent });
  }
  return joined;
}

/** Pages of file systems and of every processor: finer extents would cost more to remember than to read. */
const GRAIN = 4096;

/** Gathers extents that come in ascending order, as whole pages; what touches becomes one. */
export class ExtentList {
  readonly #size: number;
  readonly #extents: Extent[] = [];

  /** `size`: bytes of the disk, where the last extent ends at most. */
  constructor(size: number) {
    this.#size = size;
  }

  add(offset: number, length: number): void {
    const start = offset - (offset % GRAIN);
    const end = Math.min(this.#size, Math.ceil((offset + length) / GRAIN) * GRAIN);
    if (end <= start) return;
    const last = this.#extents.at(-1);
    if (last && extentEnd(last) >= start) {
      this.#extents[this.#extents.length - 1] = { offset: last.offset, length: end - last.offset };
    } else this.#extents.push({ offset: start, length: end - start });
  }

  all(): readonly Extent[] {
    return this.#extents;
  }
}
