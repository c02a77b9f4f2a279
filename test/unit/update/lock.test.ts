import { expect, test } from 'vitest';
import { readLock } from '../../../src/update/lock.ts';
import { changeLines, changeTable, lockChanges } from '../../../src/update/lock-change.ts';
import { flakeLock, NIXPKGS } from './kit.ts';

const read = (text: string) => readLock('flake', text, 'flake.lock');

test('an input of an input has its way as name, and one that follows another is left out', () => {
  const names = read(
    flakeLock({
      a: { rev: 'a'.repeat(40), time: 1, inputs: { b: 'b', nixpkgs: ['nixpkgs'] } },
      b: { rev: 'b', time: 2 },
    }),
  );
  expect(names.map(({ name }) => name)).toEqual(['a', 'a/b']);
});

test('inputs that have each other as input are listed once a way', () => {
  const names = read(
    flakeLock({ a: { rev: '1', time: 1, inputs: { b: 'b' } }, b: { rev: '2', time: 2, inputs: { a: 'a' } } }, ['a']),
  );
  expect(names.map(({ name }) => name)).toEqual(['a', 'a/b']);
});

test('a merge that is not settled is an error that names the file', () => {
  const text = `{\n<<<<<<< HEAD\n  "a": 1\n=======\n  "a": 2\n>>>>>>> theirs\n}\n`;
  expect(() => read(text)).toThrow('flake.lock has the marks of a merge that is not settled');
  expect(() => readLock('npins', text, 'npins/sources.json')).toThrow('npins/sources.json has the marks');
});

test.each(['', '[]', '{"nodes":{}}', '{"root":1,"nodes":{}}'])('%j is an error that names the file', (text) => {
  expect(() => read(text)).toThrow('flake.lock');
});

test('what changed is told by what the files say', () => {
  const before = read(flakeLock({ nixpkgs: { rev: 'a'.repeat(40), time: 86_400 }, old: { rev: 'x', time: 0 } }));
  const after = read(flakeLock({ nixpkgs: { rev: 'b'.repeat(40), time: 2 * 86_400 }, fresh: { rev: 'y', time: 0 } }));
  const changes = lockChanges(before, after);
  expect(changeLines(changes)).toEqual([
    'fresh: nothing → y (1970-01-01)',
    'nixpkgs: aaaaaaaaaaaa (1970-01-02) → bbbbbbbbbbbb (1970-01-03)',
    'old: x (1970-01-01) → nothing',
  ]);
  const link = `[commits](https://github.com/NixOS/nixpkgs/compare/${'a'.repeat(40)}...${'b'.repeat(40)})`;
  expect(changeTable(changes)).toContain(link);
  expect(lockChanges(before, before)).toEqual([]);
});

test('an older state is a downgrade, but not where the input comes from elsewhere', () => {
  const at = (time: number, source = NIXPKGS) => read(flakeLock({ nixpkgs: { rev: String(time), time, source } }));
  expect(lockChanges(at(2), at(1)).map(({ isDowngrade }) => isDowngrade)).toEqual([true]);
  expect(changeLines(lockChanges(at(2), at(1)))[0]).toMatch(/, older than before$/);
  expect(lockChanges(at(1), at(2)).map(({ isDowngrade }) => isDowngrade)).toEqual([false]);
  const fork = { type: 'github', owner: 'fork', repo: 'nixpkgs' };
  expect(lockChanges(at(2), at(1, fork)).map(({ isDowngrade }) => isDowngrade)).toEqual([false]);
});

test('pins of npins are read, and a release that goes back is a downgrade', () => {
  const pins = (version: string) =>
    readLock(
      'npins',
      JSON.stringify({
        version: 5,
        pins: {
          tool: {
            type: 'GitRelease',
            repository: { type: 'GitHub', owner: 'org', repo: 'tool' },
            version,
            revision: version,
          },
          nixpkgs: { type: 'Channel', name: 'nixos-unstable', url: 'https://example.org/1', hash: 'abc' },
        },
      }),
      'npins/sources.json',
    );
  expect(pins('v1.10.0').map(({ name, source }) => `${name} ${source}`)).toEqual([
    'tool github:org/tool',
    'nixpkgs channel',
  ]);
  expect(lockChanges(pins('1.10.0'), pins('1.9.0'))).toMatchObject([{ name: 'tool', isDowngrade: true }]);
  expect(lockChanges(pins('1.9.0'), pins('1.10.0'))).toMatchObject([{ name: 'tool', isDowngrade: false }]);
});

test('names of inputs cannot add to the table, nor call anybody', () => {
  const changes = lockChanges([], read(flakeLock({ '@org/team|x': { rev: '1', time: 0 } })));
  const rows = changeTable(changes).trimEnd().split('\n');
  expect(rows.length).toBe(3);
  expect(rows[2]).not.toMatch(/@org|m\|x/);
});
