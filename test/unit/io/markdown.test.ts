import { expect, test } from 'vitest';
import { plainMarkdown } from '../../../src/io/markdown.ts';

test.each([
  ['nixImages.x86_64-linux.app', 'nixImages.x86\\_64-linux.app'],
  ['a | b', 'a \\| b'],
  ['![x](https://evil)', '!\\[x\\](https://evil)'],
  ['<img src=x> `code` *bold*', '\\<img src=x\\> \\`code\\` \\*bold\\*'],
  ['one\n\n# two\\', 'one # two\\\\'],
])('%j', (text, expected) => {
  expect(plainMarkdown(text)).toBe(expected);
});
