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

const lineOf = (chart: string, at: number): string => chart.split('\n')[at] ?? '';

test('each image has a slice, as have other tools and what is free; no label ends early', () => {
  const index = indexOf([cachedPath('app', 60, 1), cachedPath(undefined, 30, 2), cachedPath('a"b\n```', 25, 3)]);
  const chart = budgetChart(index, planOf(index));
  expect(chart.split('\n').toSpliced(1, 1)).toEqual([
    '```mermaid',
    "pie showData title The cache's limit by image, in MB",
    '    "app (x86_64-linux)" : 60',
    '    "several images (x86_64-linux)" : 30',
    '    "a_b____ (x86_64-linux)" : 25',
    '    "other tools" : 200',
    '    "free" : 700',
    '```',
  ]);
  expect(JSON.parse(/^%%\{init: (.*)\}%%$/.exec(lineOf(chart, 1))?.[1] ?? '')).toMatchObject({
    themeVariables: { pie1: '#6cb6ff', pie2: '#57c27a', pie4: '#9aa4af', pie5: '#e6e9ec' },
  });
});

test('the systems of an image are beside each other in one hue, and what is small has no slice', () => {
  const arm = { ...cachedPath('app', 50, 4), system: 'aarch64-linux' };
  const index = indexOf([cachedPath('app', 60, 1), cachedPath('tool', 90, 2), arm, cachedPath('tiny', 4, 3)]);
  const chart = budgetChart(index, planOf(index));
  expect(chart.split('\n').slice(3, 7)).toEqual([
    '    "app (x86_64-linux)" : 60',
    '    "app (aarch64-linux)" : 50',
    '    "tool (x86_64-linux)" : 90',
    '    "other images" : 4.00',
  ]);
  expect(lineOf(chart, 1)).toContain('"pie1":"#6cb6ff","pie2":"#b6dcff","pie3":"#57c27a"');
});

test('many images are one slice after four; what is dropped has none, and a full cache nothing free', () => {
  const index = indexOf(Array.from({ length: 15 }, (_, at) => cachedPath(`i${at}`, 20 - at, at)));
  const kept = new Set(index.paths.slice(0, 12).map(({ path }) => path));
  const chart = budgetChart(index, planOf(index, { kept, others: 0, after: 2000e6 }));
  expect(chart.match(/ : /g)).toHaveLength(5);
  expect(chart).toContain(`"other images" : ${16 + 15 + 14 + 13 + 12 + 11 + 10 + 9}`);
  expect(budgetChart(indexOf([]), planOf(indexOf([]), { others: 0, after: 1000e6 }))).toBe('');
});
