import { expect, test } from 'vitest';
import { summarise } from '../../../bench/summary.ts';
import { measurement } from './rows.ts';

test('runs of one subject in one case become medians, and the most memory that was held', () => {
  const runs = [
    measurement({ subject: 'a', wallSeconds: 3, cpuSeconds: 1, largestProcess: 5 }),
    measurement({ subject: 'b', wallSeconds: 9 }),
    measurement({ subject: 'a', wallSeconds: 1, cpuSeconds: 2, largestProcess: 9, round: 1 }),
    measurement({ subject: 'a', wallSeconds: 2, cpuSeconds: 9, largestProcess: 7, round: 2 }),
    measurement({ subject: 'a', wallSeconds: 50, case: 'leaf' }),
  ];
  const rows = summarise(runs);
  expect(rows.map((row) => [row.case, row.subject, row.runs, row.wallSeconds])).toEqual([
    ['cold', 'a', 3, 2],
    ['cold', 'b', 1, 9],
    ['leaf', 'a', 1, 50],
  ]);
  expect(rows[0]).toMatchObject({ cpuSeconds: 2, largestProcess: 9, wallSpread: 1 });
});
