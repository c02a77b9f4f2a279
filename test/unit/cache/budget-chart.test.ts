import { expect, test } from 'vitest';
import type { BudgetPlan } from '../../../src/cache/budget.ts';
import { budgetChart } from '../../../src/cache/budget-chart.ts';
import type { CachedPath, CacheIndex } from '../../../src/cache/cache-index.ts';

const cachedPath = (image: string | undefined, megabytes: number, at: number): CachedPath => ({
  ...{ path: `/nix/store/${String(at).padStart(32, '0')}-p`, narHash: '', narSize: 1, references: [], seconds: 1 },
  ...{ pieces: [{ pack: 0, offset: 0, length: megabytes * 1e6 }], system: 'x86_64-linux', isLeaf: true, used: 0 },
  ...(image === undefined ? {} : { image }),
});

const indexOf = (paths: readonly CachedPath[]): CacheIndex => ({ version: 1, packs: [], paths, closures: [] });

const planOf = (index: CacheIndex, change: Partial<BudgetPlan> = {}): BudgetPlan => ({
  ...{ limit: 1000e6, before: 0, others: 200e6, otherEntries: 2, after: 300e6, dropped: [], compacted: [] },
  ...{ removed: [], admitted: [], refused: [], kept: new Set(index.paths.map(({ path }) => path)) },
  ...change,
});

test('each image has a slice, as have other tools and what is free; no label ends early', () => {
  const index = indexOf([cachedPath('app', 60, 1), cachedPath(undefined, 30, 2), cachedPath('a"b\n```', 10, 3)]);
  expect(budgetChart(index, planOf(index)).split('\n')).toEqual([
    '```mermaid',
    'pie showData title The cache by image, in MB',
    '    "app (x86_64-linux)" : 60.00',
    '    "several images (x86_64-linux)" : 30.00',
    '    "a_b____ (x86_64-linux)" : 10.00',
    '    "other tools" : 200.00',
    '    "free" : 700.00',
    '```',
  ]);
});

test('many images are one slice after nine; what is dropped has none, and a full cache nothing free', () => {
  const index = indexOf(Array.from({ length: 15 }, (_, at) => cachedPath(`i${at}`, 20 - at, at)));
  const kept = new Set(index.paths.slice(0, 12).map(({ path }) => path));
  const chart = budgetChart(index, planOf(index, { kept, others: 0, after: 2000e6 }));
  expect(chart.match(/ : /g)).toHaveLength(10);
  expect(chart).toContain(`"other images" : ${11 + 10 + 9}.00`);
  expect(budgetChart(indexOf([]), planOf(indexOf([]), { others: 0, after: 1000e6 }))).toBe('');
});
