import type { BlockRun } from './positions.ts';

/** The blocks of a file system that nothing has taken yet. */
export class FreeRuns {
  /** Gaps between what is taken, ascending: first block, and the one behind the last. */
  readonly #gaps: { start: number; end: number }[] = [];
  #end = 0;

  /** The block behind everything that is taken. */
  get end(): number {
    return this.#end;
  }

  /** Takes blocks that must be free. Throws Error where they are not: two paths in one place would be one of them lost. */
  take({ block, blocks }: BlockRun): void {
    const end = block + blocks;
    if (block >= this.#end) {
      if (block > this.#end) this.#gaps.push({ start: this.#end, end: block });
      this.#end = end;
      return;
    }
    const index = this.#gaps.findIndex((gap) => gap.start <= block && end <= gap.end);
    const gap = this.#gaps[index];
    if (!gap) throw new Error(`blocks ${block} to ${end - 1} are taken already`);
    const rest = [
      { start: gap.start, end: block },
      { start: end, end: gap.end },
    ];
    this.#gaps.splice(index, 1, ...rest.filter((part) => part.start < part.end));
  }

  /** Where so many blocks fit best: in the smallest gap that is large enough, the first of those, or behind everything. */
  best(blocks: number): number {
    let best: { readonly start: number; readonly end: number } | undefined;
    for (const gap of this.#gaps) {
      const size = gap.end - gap.start;
      if (size >= blocks && (!best || size < best.end - best.start)) best = gap;
    }
    return best?.start ?? this.#end;
  }

  /** Takes so many blocks where they fit best. */
  takeBest(blocks: number): BlockRun {
    const run = { block: this.best(blocks), blocks };
    this.take(run);
    return run;
  }
}
