import { expect, test } from 'vitest';
import { diskRoomGiB } from '../../../src/definition/disk-room.ts';
import { diskDefinition } from './disks.ts';

test.each([
  ['what it does not say is assumed', {}, 7],
  ['a disk of another tool', undefined, 6],
  ['a store of a stated size', { partitions: { store: { sizeMiB: 20 * 1024 } } }, 41],
  ['a disk that is too small for what is assumed', { sizeGiB: 1 }, 2],
  ['a large disk, of which nothing says that it is full', { sizeGiB: 500 }, 7],
  ['the EFI system partition of a boot loader', { partitions: { esp: { sizeMiB: 4096 } } }, 18],
])('%s', (_name, change, gib) => {
  expect(diskRoomGiB(change === undefined ? undefined : diskDefinition(change))).toBe(gib);
});
