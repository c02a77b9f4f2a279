import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../support/root.ts';

/** A value that has no quotes and has `: ` in it, which YAML takes for a second key in one line, and refuses (YAML 1.2, 7.3.3). */
const SECOND_KEY = /^ *(?:- )?[\w-]+: (?![>|'"{[])(?:(?! #).)*: /;

test.each([
  ['    description: What it is. Default: nothing.', true],
  ["    description: 'What it is. Default: nothing.'", false],
  ['    description: What it is # note: this', false],
  ['    uses: org/nix-images@v1', false],
])('%s', (line, wrong) => {
  expect(SECOND_KEY.test(line)).toBe(wrong);
});

test.each([
  'workflows',
  '.github/workflows',
  'examples/workflows',
])('values in %s that need quotes have them', async (folder) => {
  for (const name of await readdir(join(ROOT, folder))) {
    const lines = (await readFile(join(ROOT, folder, name), 'utf8')).split('\n');
    // Scripts have their own rules.
    const wrong = lines.filter((line) => /^ *description:/.test(line) && SECOND_KEY.test(line));
    expect(wrong, `${folder}/${name}`).toEqual([]);
  }
});

test.each([
  'workflows',
  'examples/workflows',
])('workflows in %s give no action the whole matrix, which is longer than an input may be', async (folder) => {
  for (const name of await readdir(join(ROOT, folder))) {
    const lines = (await readFile(join(ROOT, folder, name), 'utf8')).split('\n');
    const given = lines.filter((line) => /outputs\.matrix\b/.test(line) && !/fromJSON\(|steps\.|!= ''/.test(line));
    expect(given, `${folder}/${name}`).toEqual([]);
  }
});
