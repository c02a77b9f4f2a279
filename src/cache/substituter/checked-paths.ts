import { UserError } from '../../core/error.ts';
import { Gate } from '../../core/gate.ts';
import type { CachedPath } from '../cache-index.ts';
import { checkFrame, type FileOfPack } from '../pack-reader.ts';
import type { PackFiles } from './pack-files.ts';

/** NARs that are checked at once: unpacking and hashing keep a core busy, and a runner has two and builds on them. */
const CHECKS = 2;

export const packsOf = ({ pieces }: CachedPath): readonly number[] => pieces.map(({ pack }) => pack);

/** What is wrong with a path's frame; undefined where it holds the path's NAR, which was unpacked whole to know it. */
async function readFault(path: CachedPath, fileOf: FileOfPack): Promise<string | undefined> {
  try {
    await checkFrame(path, fileOf);
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/**
 * Which paths hold what the index says, each found out once as long as its packs stay where they are: nobody else writes there.
 * Paths that Nix knows of are checked as soon as their packs have come, one after another, so that none waits for it when
 * Nix asks for its NAR: that is often a second later, once everything that it refers to is there.
 */
export class CheckedPaths {
  readonly #packs: PackFiles;
  readonly #checks = new Gate(CHECKS);
  readonly #found = new Map<CachedPath, Promise<string | undefined>>();
  /** Paths that Nix knows of and whose packs were not here when one came last, with how many lie below each. */
  readonly #told = new Map<CachedPath, number>();
  /** Those that Nix takes first come last. */
  readonly #ready: (readonly [path: CachedPath, height: number])[] = [];
  #isBusy = false;

  constructor(packs: PackFiles) {
    this.#packs = packs;
    packs.watch({ came: () => this.#sort(), dropped: (pack) => this.#forget(pack) });
  }

  /** Tells that Nix knows of a path, which it takes after all of a smaller height. */
  tell(path: CachedPath, height: number): void {
    this.#told.set(path, height);
    if (this.#packs.areHere(packsOf(path))) this.#sort();
  }

  /** What is wrong with a path, whose packs must stay where they are until this has ended. Throws what reading them throws. */
  faultOf(path: CachedPath, fileOf: FileOfPack): Promise<string | undefined> {
    const known = this.#found.get(path);
    if (known !== undefined) return known;
    const fault = this.#checks.run(() => readFault(path, fileOf));
    this.#found.set(path, fault);
    fault.catch(() => this.#found.delete(path));
    return fault;
  }

  #sort(): void {
    for (const told of this.#told) {
      if (!this.#packs.areHere(packsOf(told[0]))) continue;
      this.#told.delete(told[0]);
      this.#ready.push(told);
    }
    this.#ready.sort(([, a], [, b]) => b - a);
    void this.#checkAhead();
  }

  async #checkAhead(): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const { signal } = new AbortController();
    for (let next = this.#ready.pop(); next !== undefined; next = this.#ready.pop()) {
      const [each] = next;
      const numbers = packsOf(each);
      if (this.#found.has(each) || !this.#packs.areHere(numbers)) continue;
      // What is thrown is for the one who asks for it, for whom it is checked again.
      await this.#packs.use(numbers, signal, (fileOf) => this.faultOf(each, fileOf)).catch(() => undefined);
    }
    this.#isBusy = false;
  }

  #forget(pack: number): void {
    for (const path of this.#found.keys()) if (packsOf(path).includes(pack)) this.#found.delete(path);
  }
}
