import { UserError } from '../core/error.ts';
import { lowerCaseRepository } from '../oci/lower-case-repository.ts';
import { type Location, parseLocation } from '../storage/location.ts';
import { type DestinationLine, parseDestinationLine } from './destination-line.ts';

/** An image of a list, and where it goes. */
interface CopyLine {
  /** From 1. */
  readonly line: number;
  readonly source: Location;
  readonly to: readonly DestinationLine[];
}

/** Lines that are wrong and shown; more of them would not be read. */
const ERRORS_SHOWN = 10;

const BYTE_ORDER_MARK = /^\ufeff/;

/**
 * Reads a list of images: `SOURCE DESTINATION…` a line, with options behind destinations as in the input `to`, where what begins with `#` is a comment and `to` counts for lines without
 * a destination. `name` is the list's own in messages. Throws UserError `input` that says which lines are wrong, and of all of
 * them why.
 */
export function parseCopyList(text: string, name: string, to: readonly DestinationLine[]): CopyLine[] {
  const lines = text
    .replace(BYTE_ORDER_MARK, '')
    .split(/\r?\n/)
    .map((content, at) => ({ line: at + 1, words: wordsOf(content) }))
    .filter(({ words }) => words.length > 0);
  if (lines.length === 0) {
    throw new UserError('input', `${name} lists no image`, { hint: 'Write one image a line: SOURCE DESTINATION.' });
  }
  return eachLine(lines, name, ({ line, words: [source = '', ...destinations] }) => {
    const own = withOptions(destinations).map(parseDestinationLine);
    if (own.length === 0 && to.length === 0) {
      throw new UserError('input', 'the destination is missing', {
        hint: 'Write SOURCE DESTINATION, or name a destination for all lines with --to.',
      });
    }
    return { line, source: parseLocation(lowerCaseRepository(source)), to: own.length > 0 ? own : to };
  });
}

const wordsOf = (content: string): string[] =>
  content
    .replace(/(?:^|\s)#.*$/, '')
    .split(/\s+/)
    .filter(Boolean);

/** A word of small letters, alone or before `=`. */
const LIKE_OPTION = /^[a-z][a-z-]*(?:=|$)/;

/** Destinations with the options behind them, such as `tag=v1`. */
function withOptions(words: readonly string[]): string[] {
  const destinations: string[] = [];
  for (const word of words) {
    const before = LIKE_OPTION.test(word) ? destinations.pop() : undefined;
    destinations.push(before === undefined ? word : `${before} ${word}`);
  }
  return destinations;
}

/** What `work` makes of every line. Throws UserError `input` that names every line for which it throws one. */
export function eachLine<T extends { readonly line: number }, R>(
  lines: readonly T[],
  name: string,
  work: (line: T) => R,
): R[] {
  const failures: { readonly line: number; readonly error: UserError }[] = [];
  const results = lines.flatMap((one) => {
    try {
      return [work(one)];
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      failures.push({ line: one.line, error });
      return [];
    }
  });
  const [first] = failures;
  if (first === undefined) return results;
  const shown = failures.slice(0, ERRORS_SHOWN).map(({ line, error }) => `${name}:${line}: ${error.message}`);
  const more = failures.length - shown.length;
  throw new UserError('input', [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n  '), {
    hint: `${first.error.hint ?? 'Correct the line.'} Nothing was copied.`,
    docs: first.error.docs ?? 'registries.md#many-images-air-gaps',
  });
}
