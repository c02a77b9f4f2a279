interface Work<T> {
  readonly promise: Promise<T>;
  done?: { readonly result: T };
}

/**
 * Work that several may ask for by one name, and that is done once: the first does it, and the others wait for what comes of it. Work that
 * fails is forgotten, and the next one that asks does it.
 */
export class OnceEach<T> {
  readonly #all = new Map<string, Work<T>>();

  /** What comes of the work of that name, and whether this call did it. Rejects with what `work` of this call rejects with. */
  async do(name: string, work: () => Promise<T>): Promise<{ readonly result: T; readonly isOwn: boolean }> {
    for (let earlier = this.#all.get(name); earlier !== undefined; earlier = this.#all.get(name)) {
      await earlier.promise.catch(() => undefined);
      if (earlier.done) return { ...earlier.done, isOwn: false };
    }
    const mine: Work<T> = {
      promise: work().then(
        (result) => {
          mine.done = { result };
          return result;
        },
        (error: unknown) => {
          this.#all.delete(name);
          throw error;
        },
      ),
    };
    this.#all.set(name, mine);
    return { result: await mine.promise, isOwn: true };
  }

  /** Forgets what came of work, so that it is done again when it is asked for. */
  forget(isGone: (result: T) => boolean): void {
    for (const [name, { done }] of this.#all) if (done && isGone(done.result)) this.#all.delete(name);
  }
}
