import { appendFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openRecord } from '../../../src/ebs/sent-record.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sent-record-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = (): string => join(folder, 'eu-west-1-snap-1.sent');

test('what was added is there for the next run, by region and snapshot', async () => {
  const first = await openRecord(folder, 'eu-west-1', 'snap-1');
  expect([...first.before]).toEqual([]);
  for (const block of [7, 70_000, 0]) first.add(block);
  await first.close();
  const second = await openRecord(folder, 'eu-west-1', 'snap-1');
  expect([...second.before]).toEqual([7, 70_000, 0]);
  second.add(1);
  await second.close();
  const other = await openRecord(folder, 'eu-west-2', 'snap-1');
  expect(other.before.size).toBe(0);
  await other.close();
  const third = await openRecord(folder, 'eu-west-1', 'snap-1');
  expect(third.before.has(1)).toBe(true);
  await third.remove();
  await third.close();
  expect(await readdir(folder)).toEqual(['eu-west-2-snap-1.sent']);
});

test('a number that was cut off is dropped, so that the next one is whole', async () => {
  const first = await openRecord(folder, 'eu-west-1', 'snap-1');
  first.add(5);
  await first.close();
  await appendFile(path(), Buffer.from([9, 9]));
  const second = await openRecord(folder, 'eu-west-1', 'snap-1');
  expect([...second.before]).toEqual([5]);
  second.add(6);
  await second.close();
  expect((await stat(path())).size).toBe(8);
  expect((await readFile(path())).readUInt32LE(4)).toBe(6);
});

test('a folder that is not there is an error that names the file', async () => {
  await expect(openRecord(join(folder, 'none'), 'eu-west-1', 'snap-1')).rejects.toMatchObject({
    code: 'file',
    message: expect.stringContaining('none/eu-west-1-snap-1.sent: no such file or folder'),
  });
});
