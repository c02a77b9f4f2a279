import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createExec } from '../../../src/host/exec.ts';
import { freeBytes, makeRoom } from '../../../src/machine/disk-space.ts';
import { memoryLog } from '../../support/memory-log.ts';
import { uniqueTempDir } from '../../support/tools.ts';

const GB = 1e9;

/** Real folders and the real `rm`; what is free follows from which of them are left, for a disk that others write to has no figure of its own. */
const disk = async () => {
  const folder = await uniqueTempDir('disk');
  const path = (name: string) => join(folder.path, name);
  for (const name of ['android', 'dotnet', 'swift']) {
    await mkdir(path(name));
    await writeFile(join(path(name), 'sdk'), 'x');
  }
  const free = async () => (4 - (await readdir(folder.path)).filter((name) => name !== 'link').length) * GB;
  const log = memoryLog();
  const tools = { exec: createExec({ env: process.env, signal: new AbortController().signal }), log, free, asRoot: [] };
  const candidates = ['absent', 'android', 'dotnet', 'swift'].map(path);
  const make = (wanted: number, more = candidates) =>
    makeRoom({ folder: path('store/not/there'), wanted, candidates: more }, tools);
  return { ...folder, path, log, make, left: async () => (await readdir(folder.path)).sort() };
};

test('nothing goes where there is enough', async () => {
  await using here = await disk();
  expect(await here.make(GB)).toBe(GB);
  expect(await here.left()).toEqual(['android', 'dotnet', 'swift']);
  expect(here.log.lines).toEqual([]);
});

test('what is removed ends when there is enough, and the log says what it gave', async () => {
  await using here = await disk();
  expect(await here.make(2.5 * GB)).toBe(3 * GB);
  expect(await here.left()).toEqual(['swift']);
  expect(here.log.lines.join('\n')).toContain(`removed ${here.path('android')}: 1.0 GB`);
});

test('where that is not enough, the work goes on with a warning', async () => {
  await using here = await disk();
  expect(await here.make(9 * GB)).toBe(4 * GB);
  expect(here.log.lines.join('\n')).toContain('only 4.0 GB are free');
});

test('a link is left alone, and so is what it leads to', async () => {
  await using here = await disk();
  await symlink(here.path('android'), here.path('link'));
  expect(await here.make(9 * GB, [here.path('link')])).toBe(GB);
  expect(await here.left()).toEqual(['android', 'dotnet', 'link', 'swift']);
});

test('the free space of a real disk is measured where a folder will be', async () => {
  await using here = await disk();
  expect(await freeBytes(here.path('a/b/c'))).toBeGreaterThan(0);
});
