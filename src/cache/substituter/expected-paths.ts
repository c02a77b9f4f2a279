import { lstatSync } from 'node:fs';
import { storeHash } from '../../definition/store-path.ts';
import type { CachedPath } from '../cache-index.ts';
import type { ServedIndex } from './served-index.ts';

/** A path that Nix will ask for. */
interface ExpectedPath {
  readonly path: CachedPath;
  /** How many cached paths lie below it, one referring to the next: Nix takes those first. */
  readonly height: number;
}

/** Whether something is at this place, a link that leads nowhere too. */
const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

interface Visit {
  readonly path: CachedPath;
  readonly rest: string[];
  height: number;
}

/**
 * What Nix will ask for once it was told of a path: that and what it refers to, but for what is in the store of this machine. Nix itself
 * asks for the narinfo of each, from the first to the last reference, and for NARs the other way round; so the pack that it needs first
 * is the one that it would name last.
 */
export class ExpectedPaths {
  readonly #index: Pick<ServedIndex, 'find'>;
  readonly #isInStore: (path: string) => boolean;
  /** Of the paths that were given. */
  readonly #heights = new Map<string, number>();

  constructor(index: Pick<ServedIndex, 'find'>, isInStore: (path: string) => boolean = isThere) {
    this.#index = index;
    this.#isInStore = isInStore;
  }

  /** That of a path which was given; 0 of any other. */
  heightOf({ path }: CachedPath): number {
    return this.#heights.get(path) ?? 0;
  }

  /** What Nix will ask for in addition to what was given before. */
  after(told: CachedPath): readonly ExpectedPath[] {
    const found: ExpectedPath[] = [];
    const open: Visit[] = [];
    const visit = (path: CachedPath): void => {
      // Also seen by what refers to itself.
      this.#heights.set(path.path, 0);
      open.push({ path, rest: [...path.references], height: 0 });
    };
    if (!this.#heights.has(told.path)) visit(told);
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const next = top.rest.pop();
      if (next === undefined) {
        open.pop();
        this.#heights.set(top.path.path, top.height);
        found.push({ path: top.path, height: top.height });
        const above = open.at(-1);
        if (above !== undefined) above.height = Math.max(above.height, top.height + 1);
        continue;
      }
      const known = this.#heights.get(next);
      if (known !== undefined) {
        if (next !== top.path.path) top.height = Math.max(top.height, known + 1);
        continue;
      }
      const path = this.#index.find(storeHash(next));
      if (path?.path === next && !this.#isInStore(next)) visit(path);
    }
    return found;
  }
}
