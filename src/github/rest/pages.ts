/** The most that GitHub gives at once. */
const SIZE = 100;

/** More pages than there can be: 100,000 caches. It ends a listing whose pages never do. */
const MOST = 1000;

/** All items of a list that comes in pages; `ask` gives one of them, `size` items long unless it is the last. */
export async function allPages<T>(ask: (page: number, size: number) => Promise<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for (let page = 1; page <= MOST; page += 1) {
    const items = await ask(page, SIZE);
    all.push(...items);
    if (items.length < SIZE) break;
  }
  return all;
}
