/** Edit distance after Levenshtein: single characters changed, added or removed. */
export const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let line = 1; line <= a.length; line++) {
    const next = [line];
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (a[line - 1] === b[column - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
};

/** Names compared at most: the square of their lengths is spent on each. */
const CANDIDATES = 2000;

/** Suggestions that help; more are noise. */
const SHOWN = 3;

/** The names that may have been meant by `wrong`, the nearest first. A third of the letters may be wrong. */
export const nearestNames = (wrong: string, names: readonly string[]): readonly string[] => {
  const limit = Math.ceil(wrong.length / 3);
  return names
    .slice(0, CANDIDATES)
    .filter((name) => Math.abs(name.length - wrong.length) <= limit)
    .map((name) => ({ name, distance: editDistance(wrong.toLowerCase(), name.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, SHOWN)
    .map(({ name }) => name);
};
