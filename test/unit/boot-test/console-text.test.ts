import { expect, test } from 'vitest';
import { createConsoleText } from '../../../src/boot-test/console-text.ts';

const read = (...blocks: string[]): string => {
  const console = createConsoleText();
  return blocks.map((block) => console.push(block)).join('');
};

// As OVMF of Debian 12 begins, up to its shell.
const FIRMWARE =
  '\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01HBdsDxe: starting Boot0001 "UEFI QEMU NVMe"\r\n\x1b[2J\x1b[01;01H\x1b[01;01HUEFI Interactive Shell v2.2\r\n' +
  'EDK II\r\n\x1b[1m\x1b[33m\x1b[40mMapping table\x1b[0m\x1b[37m\x1b[40m\r\n\x1b[05;01HPress ESC in 5 seconds\x1b[05;01HPress ESC in 4 seconds\x1b[06;01HShell> ';

// As bash, agetty and systemd 257 write.
const LOGIN =
  '\x1b]0;root@server\x07\x1b[?2004h\x1b[H\x1b[J\r\r\nserver login: root\r\r\nLast login: Sat Nov 29\r\n\x1b]3008;start=1;user=root\x1b\\[root@server:~]# \x1b[6n';

test.each([
  [
    'clears the screen and places the cursor',
    FIRMWARE,
    [
      'BdsDxe: starting Boot0001 "UEFI QEMU NVMe"',
      'UEFI Interactive Shell v2.2',
      'EDK II',
      'Mapping table',
      'Press ESC in 5 seconds',
      'Press ESC in 4 seconds',
      'Shell> ',
    ],
  ],
  [
    'titles a window and asks for the cursor',
    LOGIN,
    ['', 'server login: root', 'Last login: Sat Nov 29', '[root@server:~]# '],
  ],
  ['a line over a line', '10 %\r20 %\r\nend\r', ['10 %', '20 %', 'end']],
  ['control characters', 'a\x07b\x08c\td\x00\n', ['abc\td', '']],
  ['a choice of characters', '\x1b(Ba\x1b)0b\x1b=c\x1bMd', ['abcd']],
])('a console that %s', (_name, raw, lines) => {
  const text = lines.join('\n');
  expect(read(raw)).toBe(text);
  // Wherever the blocks are cut.
  expect(read(...raw)).toBe(read(raw));
  for (let at = 1; at < raw.length; at += 1) expect(read(raw.slice(0, at), raw.slice(at))).toBe(text);
});

test.each([
  ['a title ends with its line', '\x1b]0;title\nnext', '\nnext'],
  ['a title ends after 1024 characters', `\x1b]0;${'x'.repeat(2000)}end`, `${'x'.repeat(978)}end`],
  ['parameters end after 1024 characters', `\x1b[${'1'.repeat(2000)}end`, `${'1'.repeat(976)}end`],
  ['another sequence ends one', '\x1b]0;title\x1b[31mred', 'red'],
])('a sequence without end: %s', (_name, raw, text) => {
  expect(read(raw)).toBe(text);
});
