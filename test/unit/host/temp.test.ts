import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createTempDirs } from '../../../src/host/temp.ts';
import { uniqueTempDir } from '../../support/tools.ts';

test('a folder that was asked for just before the end goes too', async () => {
  await using parent = await uniqueTempDir('temp-dirs');
  const temp = createTempDirs(parent.path);
  await temp.create();
  const late = temp.create();
  await temp.remove();
  await late;
  expect(await readdir(parent.path)).toEqual([]);
});

// Work that was cancelled may go on for a moment and ask then.
test('a folder that is asked for after the end is refused, and none is left', async () => {
  await using parent = await uniqueTempDir('temp-dirs');
  const temp = createTempDirs(parent.path);
  await temp.create();
  await temp.remove();
  await expect(temp.create()).rejects.toThrow('the run has ended');
  expect(await readdir(parent.path)).toEqual([]);
});
