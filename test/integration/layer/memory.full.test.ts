// Makes twenty thousand files, and layers of them in processes of their own: seconds.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MIB } from '../../support/bytes.ts';
import { assembledRelease } from '../../support/release.ts';
import { runProgram, type TempDir, uniqueTempDir } from '../../support/tools.ts';

/** What `thread-count.ts` counts with, in MiB: a process without its threads, and each of them. */
const [WITHOUT, EACH] = [110, 35];

let temp: TempDir;
let folders: readonly string[];

beforeAll(async () => {
  temp = await uniqueTempDir('layer-memory');
  folders = await Promise.all(Array.from({ length: 8 }, (_, at) => smallFiles(join(temp.path, `${at}`))));
});

afterAll(() => temp?.remove());

async function smallFiles(folder: string): Promise<string> {
  for (let at = 0; at < 2_500; at += 1) {
    const own = join(folder, `package-${at % 50}`);
    if (at < 50) await mkdir(own, { recursive: true });
    const text = Array.from(
      { length: 20 + (at % 150) },
      (_, line) => `export const name${line * at} = ${at ^ line};\n`,
    );
    await writeFile(join(own, `module-with-a-name-${at}.js`), text.join(''));
  }
  return folder;
}

async function peak(threads: number, compression: string): Promise<number> {
  const program = join(await assembledRelease(), 'dist/index.js');
  const child = join(import.meta.dirname, 'memory-child.ts');
  const { exitCode, stdout, stderr } = await runProgram(process.execPath, [
    child,
    program,
    `${threads}`,
    compression,
    ...folders,
  ]);
  expect(exitCode, stderr).toBe(0);
  return Number(stdout);
}

test.each([
  'gzip',
  'zstd',
  'zstd:chunked',
])('%s of small files takes no more memory than threads are counted with', async (compression) => {
  const [one, four] = [await peak(1, compression), await peak(4, compression)];
  expect(one).toBeGreaterThan(40 * MIB);
  expect(four).toBeLessThan((WITHOUT + 4 * EACH) * MIB);
  expect((four - one) / 3).toBeLessThan(EACH * MIB);
});
