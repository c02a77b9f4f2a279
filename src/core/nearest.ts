/** Edits (insert, delete, replace a character) that turn `from` into `to`: Levenshtein's distance. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j += 1) {
      const replaced = (row[j] ?? 0) + (letter === to[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

/** Names compared at most: the square of their lengths is spent on each. */
const CANDIDATES = 2000;

/** Suggestions that help; more are noise. */
const SHOWN = 3;

/**
 * The names that a person may have meant by `wrong`, the nearest first: those that begin with it, and those of which
 * at most a third of the letters (at least one) differ.
 */
export function nearestNames(wrong: string, names: readonly string[]): readonly string[] {
  const word = wrong.toLowerCase();
  const limit = Math.max(1, Math.ceil(word.length / 3));
  const isBegun = (name: string): boolean => word.length >= 2 && name.toLowerCase().startsWith(word);
  return names
    .slice(0, CANDIDATES)
    .filter((name) => isBegun(name) || Math.abs(name.length - word.length) <= limit)
    .map((name) => ({ name, edits: distance(word, name.toLowerCase()) }))
    .filter(({ name, edits }) => isBegun(name) || edits <= limit)
    .sort((a, b) => a.edits - b.edits)
    .slice(0, SHOWN)
    .map(({ name }) => name);
}

/** ` Did you mean X?`, or nothing. */
export function didYouMean(word: string, candidates: readonly string[], write = (name: string) => name): string {
  const [found] = nearestNames(word, candidates);
  return found === undefined ? '' : ` Did you mean ${write(found)}?`;
}
