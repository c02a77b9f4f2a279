import { describe, expect, test } from 'vitest';
import { globFilter } from '../../../src/core/glob.ts';
import { plainText } from '../../../src/core/printable.ts';
import { parseBuildFailure } from '../../../src/nix/build-failure.ts';
import { evaluationFailure } from '../../../src/nix/failure.ts';
import { parseAttributePath } from '../../../src/nix/installable.ts';
import { parseTagLine } from '../../../src/publish/tag-lines.ts';
import { fillIn } from '../../../src/publish/tag-text.ts';
import { parseChallenges } from '../../../src/storage/registry/auth/challenge.ts';
import { encodeHeader, endBlocks, fileHeader, padding } from '../../../src/tar/header.ts';
import { tarEntries } from '../../../src/tar/reader.ts';

/** As much as is kept of what a program says. Where work grew with its square, each of these took from seconds to minutes. */
const LENGTH = 256 * 1024;
const filled = (piece: string): string => piece.repeat(Math.ceil(LENGTH / piece.length));

/** What a flake, a builder or a registry may say to keep an expression busy, by what it was made for. */
const SAID: readonly string[] = [
  `error: x\n${filled('\n')}y`,
  `error: x\n${filled(' \n')}y`,
  `error: x\n${filled(' ')}\nat x`,
  `error: x\nat ${filled(':1')}`,
  `error: x\nat ${filled('1:')}`,
  `error: x\n${filled('at /nix/store/')}`,
  filled("a 'x' with features {"),
  filled("a 'x' with features {y} is required to build 'z', but I am a "),
  `Cannot build 'x'.\n Reason: required system${filled(' ')}`,
  filled("Cannot build 'x'. Reason: required system "),
  `Cannot build 'x'.${filled(' ')}`,
  filled("don't know how to build these paths: "),
  filled("hash mismatch in fixed-output derivation '"),
  `hash mismatch in fixed-output derivation 'x': specified:${filled(' ')}`,
  `hash mismatch in fixed-output derivation 'x': likely URL: y\n${filled(' ')}`,
  filled("path '"),
  filled("builder for 'x' failed;"),
  filled('1'),
  filled('|'),
];

test.each(
  SAID.map((text, at) => [at, text.slice(0, 40), text] as const),
)('%i: %j is read in one go', (_at, _start, text) => {
  expect(evaluationFailure('x', text).message).toContain('evaluating x failed');
  expect(parseBuildFailure(text)).toBeDefined();
});

describe('other text from outside', () => {
  test.each([' ', ',', ' ,', 'a', 'Basic ', 'a=', '"', 'a="\\'])('a challenge of %j', (piece) => {
    expect(parseChallenges(`${filled(piece)}\u0001`)).toBeDefined();
  });

  test.each(['\u001b[', '\u001b;', '\u001b]0;', '\u009b1;', ' \n', '\u202e'])('an escape of %j', (piece) => {
    expect(plainText(filled(piece))).toBeDefined();
  });

  test.each([['"'], ['"\\'], ['a.'], ['a"']])('an attribute path of %j', (piece) => {
    expect(() => parseAttributePath(filled(piece))).toThrow('attribute path');
  });

  test('a name for a glob with many stars', () => {
    const passes = globFilter([`${'a*'.repeat(30)}b`, '*a*a*a*a*a*a*a*a*?*b']);
    expect(passes(['a'.repeat(20_000)])).toBe(false);
    expect(passes([`${'a'.repeat(20_000)}b`])).toBe(true);
  });

  test('a rule for tags', () => {
    const blanks = ' '.repeat(20_000);
    expect(() => fillIn(`{{a${blanks}`, {}, 'x')).toThrow('not a known expression');
    expect(() => parseTagLine(`type=raw,value=${blanks}x,b c`)).toThrow('tag rule');
  });

  test.each([
    ['zero bytes', '\0'],
    ['slashes', '/'],
  ])('a name of %s in an archive', async (_what, filler) => {
    const name = Buffer.from(`a${filler.repeat(LENGTH)}b`);
    const size = name.length;
    const header = encodeHeader({ name: 'x', type: 'L', size, mode: 0o644, uid: 0, gid: 0, mtime: 0 });
    const tar = Buffer.concat([header, name, Buffer.alloc(padding(size)), fileHeader('f', 0), endBlocks()]);
    const names: string[] = [];
    for await (const entry of tarEntries(
      (async function* () {
        yield tar;
      })(),
      () => 0,
    ))
      names.push(entry.name);
    expect(names).toEqual([filler === '/' ? 'a/b' : 'a']);
  });
});
