import { expect, test } from 'vitest';
import { StagedDisks } from '../../../src/commands/staged-disks.ts';
import { UserError } from '../../../src/core/error.ts';
import type { FilesPlace } from '../../../src/disk-places/files-place.ts';
import { filesLines, parseToLine } from '../../../src/publish/destination-line.ts';
import { formatFilesLocation } from '../../../src/storage/files-location.ts';
import { memoryLog } from '../../support/memory-log.ts';

const disks = ['vm-x86_64-linux', 'vm-aarch64-linux'].map((stem) => ({
  name: 'vm',
  stem,
  files: [],
  obsolete: [`${stem}.old`],
}));

/** Places that say what is done to them, and fail where `fails` says so (`finish vm-x86_64-linux at dir:a`). */
function scene(fails: readonly string[] = []) {
  const done: string[] = [];
  const log = memoryLog();
  const act = (what: string): void => {
    if (fails.includes(what)) throw new UserError('file', `cannot ${what}`);
    done.push(what);
  };
  const open = (...[location, { stem }]: Parameters<Parameters<typeof StagedDisks.stage>[2]['files']['open']>) => {
    const at = `${stem} at ${formatFilesLocation(location)}`;
    const place: FilesPlace = {
      name: at,
      stage: async (_files, obsolete) => {
        expect(obsolete).toEqual([`${stem}.old`]);
        act(`stage ${at}`);
        return {
          bytesSent: 1,
          finish: async () => {
            act(`finish ${at}`);
            return [at];
          },
          abandon: async () => act(`abandon ${at}`),
        };
      },
      close: async () => undefined,
    };
    return place;
  };
  const stage = (...to: string[]) =>
    StagedDisks.stage(disks, filesLines(to.map((line) => parseToLine(line))), { files: { open }, log });
  return { done, log, stage };
}

test('all systems are staged at all places before one is shown, and nothing is taken away', async () => {
  const { done, stage } = scene();
  const staged = await stage('dir:a', 'dir:b');
  expect(done.every((what) => what.startsWith('stage '))).toBe(true);
  const targets = await staged.finish();
  expect(targets.map(({ files, bytesSent }) => [files.length, bytesSent])).toEqual([
    [2, 2],
    [2, 2],
  ]);
  await staged.abandon();
  expect(done.filter((what) => what.startsWith('abandon '))).toEqual([]);
});

test('where one cannot be staged, nothing stays anywhere', async () => {
  const { done, stage } = scene(['stage vm-aarch64-linux at dir:b']);
  await expect(stage('dir:a', 'dir:b')).rejects.toThrow('cannot stage vm-aarch64-linux at dir:b');
  expect(done.filter((what) => what.startsWith('abandon '))).toEqual([
    'abandon vm-x86_64-linux at dir:a',
    'abandon vm-aarch64-linux at dir:a',
    'abandon vm-x86_64-linux at dir:b',
  ]);
});

test('where one cannot be shown, what comes after it is taken away, and what was shown stays', async () => {
  const { done, stage } = scene(['finish vm-aarch64-linux at dir:a']);
  const staged = await stage('dir:a', 'dir:b');
  await expect(staged.finish()).rejects.toThrow('cannot finish vm-aarch64-linux at dir:a');
  await staged.abandon();
  expect(done.slice(4)).toEqual([
    'finish vm-x86_64-linux at dir:a',
    'abandon vm-x86_64-linux at dir:b',
    'abandon vm-aarch64-linux at dir:b',
  ]);
});

test('a place that may fail has no part of the disk, and the others have all of it', async () => {
  const { done, log, stage } = scene(['stage vm-aarch64-linux at dir:a']);
  const staged = await stage('dir:a may-fail', 'dir:b');
  expect(await staged.finish()).toMatchObject([
    { name: 'dir:a', files: [], failure: 'cannot stage vm-aarch64-linux at dir:a' },
    { name: 'dir:b', bytesSent: 2 },
  ]);
  await staged.abandon();
  expect(done.at(-1)).toBe('abandon vm-x86_64-linux at dir:a');
  expect(log.lines).toContain('dir:a: cannot stage vm-aarch64-linux at dir:a');
});
