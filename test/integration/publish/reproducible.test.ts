import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cliData, type Published, testImage } from '../../support/cli.ts';
import { ROOT } from '../../support/root.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
let clone: string;

beforeAll(async () => {
  temp = await uniqueTempDir('reproducible');
  clone = join(temp.path, 'clone');
  const cloned = await runProgram('git', ['clone', '--quiet', ROOT, clone]);
  expect(cloned.exitCode, cloned.stderr).toBe(0);
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
});

afterAll(async () => {
  await temp?.remove();
});

// Of the large image, one system: the index of two is that of the small ones.
test.each<[string, readonly string[]]>([
  ['small', []],
  ['smallZstd', []],
  ['python', ONLY_X86],
])('%s: another clone, another folder, another day: the same index', async (name, systems) => {
  const words = ['publish', ...(await testImage(name)), ...systems];
  const publish = async (place: string, options: object): Promise<string> =>
    (await cliData<Published>([...words, '--to', `oci:${temp.path}/${place}:v1`], options)).digest;
  const here = await publish(`here-${name}`, {});
  expect(await publish(`again-${name}`, { env: { TZ: 'Asia/Tokyo', LANG: 'tr_TR.UTF-8', HOME: temp.path } })).toBe(
    here,
  );
  expect(await publish(`there-${name}`, { root: clone, cwd: clone })).toBe(here);
});
