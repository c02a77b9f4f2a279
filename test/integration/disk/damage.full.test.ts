import { expect, test } from 'vitest';
import { readDamaged } from './damage.ts';

test('10,000 damaged disks of every format are read, or refused by structure and offset, and none hangs', async () => {
  expect((await readDamaged(1000, 10_000)).faults).toEqual([]);
}, 600_000);
