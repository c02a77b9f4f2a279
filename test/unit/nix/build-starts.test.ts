import { mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepBuildStarts, readBuildStarts } from '../../../src/commands/build-starts.ts';
import { parseStarts, startedBuild } from '../../../src/nix/build-starts.ts';

const drv = (letter: string): string => `/nix/store/${letter.repeat(32)}-app-1.0.drv`;

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'build-starts-'));
});
afterEach(() => rm(folder, { recursive: true }));

const host = (folderOfJob: string | undefined) => ({
  env: (name: string) => (name === 'RUNNER_TEMP' ? folderOfJob : undefined),
});

test.each([
  [`building '${drv('a')}'...`, drv('a')],
  [`building '${drv('a')}' on 'ssh://builder'...`, drv('a')],
  [`app> building '${drv('a')}'...`, undefined],
  [`  ${drv('a')}`, undefined],
  ["building '/etc/passwd.drv'...", undefined],
  [`copying path '${drv('a')}'`, undefined],
])('%s', (line, found) => {
  expect(startedBuild(line)).toBe(found);
});

test('a file that anybody may have written gives what can be read of it', () => {
  const text = `5 ${drv('a')}\nnonsense\n-1 ${drv('b')}\n7 ${drv('a')}\n${'9'.repeat(40)} ${drv('b')}\n8 /etc/x.drv\n6 ${drv('c')}`;
  expect([...parseStarts(text)]).toEqual([
    [drv('a'), 7],
    [drv('c'), 6],
  ]);
});

test('a step of a job reads what steps before it built, and nobody else does', async () => {
  const before = Date.now();
  keepBuildStarts(host(folder))?.(drv('a'));
  keepBuildStarts(host(folder))?.(drv('b'));
  const starts = await readBuildStarts(host(folder));
  expect([...starts.keys()]).toEqual([drv('a'), drv('b')]);
  expect(starts.get(drv('a'))).toBeGreaterThanOrEqual(before);
  const file = join(folder, 'nix-images-builds/starts');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(keepBuildStarts(host(undefined))).toBeUndefined();
  expect((await readBuildStarts(host(undefined))).size).toBe(0);
});

test('nothing is written or read through a link, and a folder that is missing is no failure', async () => {
  keepBuildStarts(host(folder))?.(drv('a'));
  const file = join(folder, 'nix-images-builds/starts');
  const other = join(folder, 'other');
  await rm(file);
  await writeFile(other, `5 ${drv('b')}\n`);
  await symlink(other, file);
  keepBuildStarts(host(folder))?.(drv('a'));
  expect(await readFile(other, 'utf8')).toBe(`5 ${drv('b')}\n`);
  expect((await readBuildStarts(host(folder))).size).toBe(0);
  expect(() => keepBuildStarts(host('/proc/none'))?.(drv('a'))).not.toThrow();
  expect((await readBuildStarts(host('/proc/none'))).size).toBe(0);
});
