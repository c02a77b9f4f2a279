import { plainLine } from './printable.ts';

/** Words that mean themselves wherever they stand in a line, so that tables of names and sentences stay readable as text. */
const PLAIN = /^(?:[A-Za-z0-9 ,()'/–-]|\.(?! )|: |\. )*$/;

/** What GitHub makes a link of by itself, and what begins a list. */
const MARKED = /www\.|^-|^\d+[.)]/i;

/** Every character that Markdown, GitHub or HTML could take for something, as HTML writes it. */
export const asEntities = (text: string): string =>
  text.replace(/[\p{ASCII}--[A-Za-z0-9 ]]/gv, (character) => `&#${character.codePointAt(0)};`);

/**
 * Texts of others (attributes of a flake, messages of Nix and of registries) as one line of Markdown that shows just them, in
 * a table's cell too. What is more than words is in code type: there neither links and mentions nor emoji are made,
 * and written as HTML it needs no backticks, which the text could end.
 */
export function plainMarkdown(text: string): string {
  const line = plainLine(text).trim();
  return PLAIN.test(line) && !MARKED.test(line) ? line : codeMarkdown(line);
}

/** The same, always in code type. */
export const codeMarkdown = (text: string): string => `<code>${asEntities(plainLine(text).trim())}</code>`;

/** A table of cells that are Markdown already. */
export const markdownTable = (headings: readonly string[], rows: readonly (readonly string[])[]): string =>
  [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
