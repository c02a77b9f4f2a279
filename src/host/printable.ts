import { stripVTControlCharacters } from 'node:util';

// Everything of Unicode's category Cc except line end and tab.
const CONTROL = /[^\P{Cc}\n\t]/gu;

/**
 * Text from outside (a build's log, a registry's answer) without what could move the cursor, recolour the
 * terminal or end a line where none ends.
 */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replace(/\r\n?/g, '\n').replace(CONTROL, '');

/** Cut to `width` characters, with an ellipsis where something is missing. */
export const truncate = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

/** Words in lines of at most `width` characters; a longer word stands alone. */
export const wrap = (text: string, width: number): string[] => {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return line === '' ? lines : [...lines, line];
};
