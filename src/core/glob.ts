/**
 * Whether a glob (`*`, `?`) matches all of a name. A star that turns out too short is only ever made longer, and of several the
 * last: that is enough, and takes no more steps than the product of the two lengths, whoever chose the names.
 */
export function globMatches(glob: string, name: string): boolean {
  let [at, inName] = [0, 0];
  let star: { readonly after: number; taken: number } | undefined;
  while (inName < name.length) {
    if (glob[at] === '*') {
      at += 1;
      star = { after: at, taken: inName };
    } else if (at < glob.length && (glob[at] === '?' || glob[at] === name[inName])) {
      at += 1;
      inName += 1;
    } else if (star) {
      star.taken += 1;
      [at, inName] = [star.after, star.taken];
    } else return false;
  }
  return /^\**$/.test(glob.slice(at));
}

/**
 * A filter of names by globs (`*`, `?`): a name passes that one of them matches, or all where every glob excludes,
 * unless one that begins with `!` matches it. Each name is given in all its spellings.
 */
export function globFilter(globs: readonly string[]): (spellings: readonly string[]) => boolean {
  const excluding = globs.filter((glob) => glob.startsWith('!')).map((glob) => glob.slice(1));
  const including = globs.filter((glob) => !glob.startsWith('!'));
  const matches = (several: readonly string[], spellings: readonly string[]): boolean =>
    several.some((glob) => spellings.some((name) => globMatches(glob, name)));
  return (spellings) => (including.length === 0 || matches(including, spellings)) && !matches(excluding, spellings);
}
