import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { longestFirst, readSlowFiles } from '../longest-first.ts';
import { ROOT } from '../support/root.ts';

test('every file in the table of slow ones is there: a file that moves takes its line along', async () => {
  const names = Object.keys(await readSlowFiles());
  expect(names.length).toBeGreaterThan(10);
  await Promise.all(names.map((name) => access(join(ROOT, name))));
});

test('the longest is the first, and what has no time follows in its order', () => {
  const seconds: Record<string, number> = { b: 2, d: 90 };
  expect(longestFirst(['a', 'b', 'c', 'd'], (name) => seconds[name])).toEqual(['d', 'b', 'a', 'c']);
});
