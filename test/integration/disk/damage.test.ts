import { expect, test } from 'vitest';
import { readDamaged } from './damage.ts';

test('300 damaged disks of every format are read, or refused by structure and offset, and none hangs', async () => {
  const { faults, refused, read } = await readDamaged(1, 300);
  expect(faults).toEqual([]);
  // Bits of data may change unseen; most of what is changed here is not data.
  expect(refused).toBeGreaterThan(100);
  expect(read).toBeGreaterThan(10);
});
