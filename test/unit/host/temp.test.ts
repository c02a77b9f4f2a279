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
