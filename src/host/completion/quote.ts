/** A word between single quotes, as POSIX shells and zsh read it. */
export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** The same for fish, which knows backslashes there. */
export const quoteForFish = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
