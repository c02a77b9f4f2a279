import { expect, test } from 'vitest';
import { plainText } from '../../../src/core/printable.ts';

test.each([
  ['a colour', 'a \u001b[1;31mred\u001b[0m b', 'a red b'],
  ['a colour of one byte', '\u009b1mA', 'A'],
  ['a title that a bell ends', 'a\u001b]0;title\u0007b', 'ab'],
  ['a title that ESC and a backslash end', 'a\u001b]0;title\u001b\\b', 'ab'],
  ['two titles', '\u001b]0;one\u0007a\u001b]0;two\u001b\\b', 'ab'],
  // As in terminals, an escape ends the title that was begun; of the title, what could not be part of an escape is left.
  ['a colour in a title', '\u001b]0;title\u001b[31mred', 'itlered'],
  ['an escape alone', 'a\u001b', 'a'],
])('%s is not shown', (_what, text, shown) => {
  expect(plainText(text)).toBe(shown);
});
