import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readTree } from '../support/source-files.ts';

const tests = (await readTree('test')).map(({ path }) => path.replace(/^test\//, ''));
const rows = (await readFile('docs/proof.md', 'utf8'))
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('|---'))
  .map((line) => line.split(' | '));

/** Names of tests: paths below `test`, `*` for any text; what follows in a row may leave out the folder of the one before. */
function namedIn(cell: string): string[] {
  let folder = '';
  return [...cell.matchAll(/`([a-z][\w./*-]*)`/g)].flatMap(([, name = '']) => {
    if (name.startsWith('bench/')) return [];
    const path = name.includes('/') ? name : join(folder, name);
    folder = dirname(path);
    return [path];
  });
}

/** A file of tests, all of a folder, or those in a folder whose names match. */
function isThere(name: string): boolean {
  // Names have letters, digits, `/`, `.`, `-` and `*`.
  const pattern = name.replaceAll('.', '\\.').replaceAll('*', '[^/]*');
  const file = new RegExp(`^${pattern}(?:\\.full)?\\.test\\.ts$`);
  return tests.some((path) => file.test(path) || (path.startsWith(`${name}/`) && path.endsWith('.test.ts')));
}

test('every test that stands behind a promise is there', () => {
  const named = rows.flatMap(([, cell = '']) => namedIn(cell));
  expect(named.length).toBeGreaterThan(200);
  expect(named.filter((name) => !isThere(name))).toEqual([]);
});
