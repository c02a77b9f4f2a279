import { describe, expect, test } from 'vitest';
import { codeMarkdown, plainMarkdown } from '../../../src/core/markdown.ts';

/** The text that a browser shows of what `codeMarkdown` made. */
const shown = (html: string): string =>
  html
    .replace(/^<code>(.*)<\/code>$/s, '$1')
    .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)));

test.each([
  'app',
  'team/app',
  'x86-64-linux has no image, and 2 have',
  'tests: 2 of 2 passed, with podman 5.4.2',
  'the image (of the file)',
])('%j stays as it is', (text) => {
  expect(plainMarkdown(text)).toBe(text);
});

describe('what Markdown, GitHub or HTML would take for something stands in code type', () => {
  test.each([
    'nixImages.x86_64-linux.app',
    'a | b',
    '![x](https://evil)',
    'https://evil.example',
    'www.evil.example',
    'see <img src=x> `code` *bold* ~~x~~',
    '# heading',
    '@maintainer and org#12 :tada: $x$',
    '&lt;b&gt;',
    '[x]: y',
    '1. one',
  ])('%j', (text) => {
    const markdown = plainMarkdown(text);
    expect(markdown).toMatch(/^<code>(?:[A-Za-z0-9 ]|&#\d+;)*<\/code>$/);
    expect(shown(markdown)).toBe(text);
  });
});

test.each([
  ['one\n\n# two\\', 'one # two\\'],
  ['a\r\r## b\u2028c\u0085d\ve', 'a  ## b c d e'],
  ['\u202eevil\u2066 \u200b\u00ad', 'evil'],
  ['\u001b[31mred\u001b[0m #', 'red #'],
  ['\ud800 #', '\ufffd #'],
])('%j is one line without what is not shown', (text, expected) => {
  expect(shown(codeMarkdown(text))).toBe(expected);
});
