/** Edits (insert, delete, replace a character) that turn `from` into `to`: Levenshtein's distance. */
const distance = (from: string, to: string): number => {
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
};

/** The candidate that a person most likely meant; undefined when none is near (it begins so, or a third of the letters differ). */
export const nearest = (word: string, candidates: readonly string[]): string | undefined => {
  const begun = word.length >= 2 ? candidates.find((candidate) => candidate.startsWith(word)) : undefined;
  if (begun !== undefined) return begun;
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= Math.max(1, Math.floor(word.length / 3)) ? best.candidate : undefined;
};

/** ` Did you mean X?`, or nothing. */
export const didYouMean = (word: string, candidates: readonly string[], write = (name: string) => name): string => {
  const found = nearest(word, candidates);
  return found === undefined ? '' : ` Did you mean ${write(found)}?`;
};
