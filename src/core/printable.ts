import { stripVTControlCharacters } from 'node:util';

// Everything of Unicode's category Cc except line end and tab.
const CONTROL = /[^\P{Cc}\n\t]/gu;

/**
 * Category Cf: marks that reverse the order in which letters are shown, and letters that are not shown. The two joiners
 * stay, for several scripts and emoji are written with them.
 */
const HIDDEN = /[^\P{Cf}\u200c\u200d]/gu;

/** What some reader or other takes for the end of a line: only `\n` may end one here. */
const OTHER_LINE_ENDS = /[\r\v\f\u0085\u2028\u2029]/g;

/**
 * Before each escape sequence; ESC with a backslash ends one. Node looks for the end of each in all that follows, which takes
 * seconds for a few hundred kB of beginnings, so it is given them one by one.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const BEFORE_SEQUENCE = /(?=[\u001b\u009b](?!\\))/;

/**
 * Text from outside (a build's log, a registry's answer, a name in an image) without what could move the cursor, recolour or
 * title a terminal, end a line where none ends, or show other letters than are there. Lines stay lines.
 */
export const plainText = (text: string): string =>
  text
    .split(BEFORE_SEQUENCE)
    .map(stripVTControlCharacters)
    .join('')
    .replaceAll('\r\n', '\n')
    .replace(OTHER_LINE_ENDS, ' ')
    .replace(CONTROL, '')
    .replace(HIDDEN, '')
    .toWellFormed();

/** The same as one line: what is in a table's cell or a heading must not end it. */
export const plainLine = (text: string): string => plainText(text).replace(/[\n\t]+/g, ' ');
