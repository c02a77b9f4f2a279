// 5 GiB are read, most of it holes, and dump.erofs is asked: a quarter of a minute.
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chancesOf } from '../../support/chances.ts';
import { erofsFile, fsckErofs } from '../../support/erofs.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;
const at = (name: string): string => join(temp.path, name);
const NAME = '0123456789abcdfghijklmnpqrsvwxyz-large';
const SIZE = 5 * 2 ** 30 + 100;

beforeAll(async () => {
  temp = await uniqueTempDir('erofs-large');
});
afterAll(() => temp.remove());

test('a file above 4 GiB keeps its size, its end and its holes', async () => {
  const content = Buffer.from(
    Array.from(
      { length: 3000 },
      (
        (chance) => () =>
          Math.floor(chance() * 256)
      )(chancesOf(1)),
    ),
  );
  const places = [0, 2 ** 32 - 1000, SIZE - content.length];
  await using file = await open(at('large'), 'w');
  for (const place of places) await file.write(content, 0, content.length, place);
  const positions = await erofsFile(at('image'), [{ name: NAME, from: at('large') }]);
  expect(await fsckErofs(at('image'))).toBe('');
  const { stdout } = await runProgram('dump.erofs', [`--path=/${NAME}`, at('image')]);
  expect(stdout).toContain(`Size: ${SIZE}  `);
  expect(stdout).toContain('Inode size: 64');
  const { size, blocks } = await stat(at('image'));
  expect([size > SIZE, blocks * 512 < 100_000]).toEqual([true, true]);
  // The extent has one block with the inode, behind which the last 100 bytes stand, and then the data.
  const start = (positions.paths[0]?.block ?? 0) * 4096;
  await using image = await open(at('image'));
  const read = async (position: number, bytes: number) =>
    (await image.read(Buffer.alloc(bytes), 0, bytes, position)).buffer;
  for (const place of places.slice(0, 2)) expect((await read(start + 4096 + place, 3000)).equals(content)).toBe(true);
  const end = await read(start + 4096 + SIZE - 3000, 2900);
  expect(Buffer.concat([end, await read(start + 64, 100)]).equals(content)).toBe(true);
});
