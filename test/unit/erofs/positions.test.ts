import { expect, test } from 'vitest';
import { decodePositions, encodePositions, gapShare, type Positions, usedRuns } from '../../../src/erofs/positions.ts';

const HASH = '0123456789abcdfghijklmnpqrsvwxyz';
const positions: Positions = {
  version: 1,
  blocks: 200,
  root: { block: 1, blocks: 127 },
  paths: [
    { path: `${HASH}-a`, block: 128, blocks: 20 },
    { path: 'nix-path-registration', block: 160, blocks: 40 },
  ],
};
const [a, b] = positions.paths as [Positions['paths'][0], Positions['paths'][0]];

test('what is written is read again, in the same order', () => {
  const text = encodePositions(positions);
  expect(decodePositions(text, 'it')).toEqual(positions);
  expect(decodePositions(encodePositions({ ...positions, paths: [b, a] }), 'it')).toEqual(positions);
  expect(text.endsWith('}\n')).toBe(true);
});

test('runs that hold something, and the part in which nothing lies', () => {
  expect(usedRuns(positions)).toEqual([
    { block: 0, blocks: 1 },
    { block: 1, blocks: 127 },
    { block: 128, blocks: 20 },
    { block: 160, blocks: 40 },
  ]);
  expect(gapShare(positions)).toBeCloseTo(12 / 200);
});

test.each<[string, object, string]>([
  ['another version', { ...positions, version: 2 }, 'positions.json has version 2, but only version 1 is known'],
  ['no version', { blocks: 3 }, 'positions.json is not valid: ✖ Invalid input: expected number'],
  [
    'a path twice',
    { ...positions, paths: [a, { ...b, path: a.path }] },
    `positions.json is not valid: ${a.path} comes twice`,
  ],
  [
    'an overlap',
    { ...positions, paths: [a, { ...b, block: 147 }] },
    'blocks 147 to 186 of nix-path-registration overlap those of',
  ],
  ['an overlap with the root', { ...positions, paths: [{ ...a, block: 100 }] }, 'overlap those of the root directory'],
  ['one that contains another', { ...positions, paths: [{ ...a, blocks: 60 }, b] }, `overlap those of ${a.path}`],
  ['the superblock', { ...positions, paths: [{ ...a, block: 0 }] }, 'Too small'],
  [
    'one outside',
    { ...positions, paths: [{ ...b, blocks: 41 }] },
    'blocks 160 to 200 of nix-path-registration lie outside its 200 blocks',
  ],
  ['no blocks', { ...positions, paths: [{ ...a, blocks: 0 }] }, 'Too small'],
  ['half a block', { ...positions, paths: [{ ...a, block: 128.5 }] }, 'expected int'],
  ['more blocks than there can be', { ...positions, blocks: 2 ** 40 }, 'Too big'],
  ['a name with a slash', { ...positions, paths: [{ ...a, path: '../a' }] }, 'expected the name of a store path'],
  ['a name of the directory', { ...positions, paths: [{ ...a, path: '..' }] }, 'expected the name of a store path'],
])('refused: %s', (_, value, message) => {
  expect(() => decodePositions(JSON.stringify(value), 'positions.json')).toThrow(message);
});

test('no JSON is refused', () => {
  expect(() => decodePositions('<html>', 'positions.json')).toThrow('positions.json is not JSON');
});
