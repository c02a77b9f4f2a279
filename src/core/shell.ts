/** A word as a shell reads it back unchanged, for commands that a person is to paste; `#` begins a comment only where it begins a word. */
export const shellWord = (word: string): string =>
  /^[\w@%+=:,./-][\w@%+=:,./#-]*$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
