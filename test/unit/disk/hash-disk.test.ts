import { expect, test } from 'vitest';
import type { Disk } from '../../../src/disk/disk.ts';
import { hashDisk } from '../../../src/disk/hash-disk.ts';

const SIZE = 4096;
const disk: Disk = {
  ...{ format: 'raw', path: 'disk.raw', size: SIZE, extents: [{ offset: 0, length: SIZE }] },
  read: async () => undefined,
  close: async () => undefined,
};

/** Threads that hash for as long as nobody ends them, or come to `end`. */
function threadsThat(end?: () => Promise<void>) {
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  let closed = 0;
  return {
    closed: () => closed,
    openThreads: () => ({
      hash: end ?? (() => ended.promise),
      close: async () => {
        closed += 1;
        ended.reject(new Error('a thread ended with code 1'));
      },
    }),
  };
}

test('threads have ended when the digests are there', async () => {
  const { openThreads, closed } = threadsThat(async () => undefined);
  expect(await hashDisk(disk, { openThreads, signal: new AbortController().signal })).toMatchObject({ size: SIZE });
  expect(closed()).toBe(1);
});

test('a run that is stopped ends them in the middle, and says why it was stopped', async () => {
  const { openThreads, closed } = threadsThat();
  const run = new AbortController();
  const hashing = hashDisk(disk, { openThreads, signal: run.signal });
  run.abort(new Error('stopped by hand'));
  await expect(hashing).rejects.toThrow('stopped by hand');
  expect(closed()).toBeGreaterThan(0);
});

test('a run that was stopped before starts none', async () => {
  const openThreads = () => {
    throw new Error('started');
  };
  await expect(hashDisk(disk, { openThreads, signal: AbortSignal.abort(new Error('over')) })).rejects.toThrow('over');
});

test('what a thread refuses is told, and they are ended', async () => {
  const { openThreads, closed } = threadsThat(() => Promise.reject(new Error('the disk is cut off')));
  await expect(hashDisk(disk, { openThreads, signal: new AbortController().signal })).rejects.toThrow('cut off');
  expect(closed()).toBe(1);
});
