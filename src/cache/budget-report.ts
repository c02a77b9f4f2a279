import { countText } from '../core/count.ts';
import { codeMarkdown, markdownTable } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import { sum } from '../core/sum.ts';
import { columns, truncate } from '../core/table.ts';
import { durationText } from '../core/time.ts';
import { storePathName } from '../definition/store-path.ts';
import { type BudgetPlan, currentPaths } from './budget.ts';
import { budgetChart } from './budget-chart.ts';
import { type CacheIndex, packedSize } from './cache-index.ts';

/** A plan, with what it is about. */
export interface PlannedCache {
  readonly store: string;
  readonly index: CacheIndex;
  readonly plan: BudgetPlan;
}

/** The largest paths that are shown. */
const SHOWN = 5;

/** Characters of the bar, within 80 columns. */
const BAR = 40;

/** The limit as a bar: other tools' entries, our own, and what is free. */
export function budgetBar({ before, others, limit }: BudgetPlan): string {
  const part = (bytes: number): number => Math.min(BAR, Math.round((bytes / Math.max(limit, 1)) * BAR));
  const [other, own] = [part(others), part(before) - part(others)];
  return `[${'o'.repeat(other)}${'#'.repeat(Math.max(0, own))}${'.'.repeat(Math.max(0, BAR - other - own))}]`;
}

/** What is kept, by system and image, and what is dropped and deleted, with why: rows of two numbers and a text. */
function rowsOf({ index, plan }: PlannedCache): readonly (readonly string[])[] {
  const current = currentPaths(index);
  const kept = index.paths.filter(({ path }) => plan.kept.has(path));
  const groups = Map.groupBy(kept, ({ system, image }) => `${system}, ${image ?? 'several images'}`);
  const keep = [...groups].sort().map(([name, paths]) => {
    const seconds = sum(paths.filter(({ path }) => current.has(path)).map((path) => path.seconds));
    return [
      'keep',
      countText(paths.length, 'path'),
      sizeText(sum(paths.map(packedSize))),
      `${name}: ${durationText(seconds * 1000)} of builds`,
    ];
  });
  const drop = [...Map.groupBy(plan.dropped, ({ why }) => why)].map(([why, paths]) => [
    'drop',
    countText(paths.length, 'path'),
    sizeText(sum(paths.map(({ bytes }) => bytes))),
    why,
  ]);
  const remove = [...Map.groupBy(plan.removed, ({ why }) => why)].map(([why, entries]) => [
    'delete',
    entries.length === 1 ? '1 entry' : `${entries.length} entries`,
    sizeText(sum(entries.map(({ entry }) => entry.bytes))),
    why,
  ]);
  const packs = plan.compacted.map((at) => index.packs[at]?.bytes ?? 0);
  const again =
    packs.length === 0
      ? []
      : [['rewrite', countText(packs.length, 'pack'), sizeText(sum(packs)), 'most of it is not needed']];
  return [...keep, ...drop, ...remove, ...again];
}

/** The largest paths that are kept, with bytes and build time. */
export const largestPaths = ({ index, plan }: PlannedCache): readonly (readonly string[])[] =>
  index.paths
    .filter(({ path }) => plan.kept.has(path))
    .sort((a, b) => packedSize(b) - packedSize(a))
    .slice(0, SHOWN)
    .map((path) => [storePathName(path.path), sizeText(packedSize(path)), durationText(path.seconds * 1000)]);

/** How much of the limit is used, in one line. */
export function budgetHead({ store, plan }: PlannedCache): string {
  const share = Math.round((plan.before / Math.max(plan.limit, 1)) * 100);
  const others = plan.otherEntries === 0 ? '' : `, ${sizeText(plan.others)} of it of other tools`;
  return `${store}: ${sizeText(plan.before)} of ${sizeText(plan.limit)} (${share} %)${others}`;
}

/** A plan for a terminal of 80 columns. */
export function budgetText(planned: PlannedCache): string {
  const cut = (line: string): string => truncate(line, 80);
  const largest = largestPaths(planned);
  return [
    budgetHead(planned),
    budgetBar(planned.plan),
    ...columns(rowsOf(planned), [1, 2]).map(cut),
    ...(largest.length === 0 ? [] : ['largest:', ...columns(largest, [1, 2]).map((line) => cut(`  ${line}`))]),
    `afterwards ${sizeText(planned.plan.after)}`,
  ].join('\n');
}

/** The same for a job's summary. */
export function budgetMarkdown(planned: PlannedCache): string {
  const rows = rowsOf(planned).map((row) => row.map(codeMarkdown));
  const largest = largestPaths(planned).map((row) => row.map(codeMarkdown));
  const chart = budgetChart(planned.index, planned.plan);
  return [
    `### Cache`,
    '',
    `${codeMarkdown(budgetHead(planned))}; afterwards ${sizeText(planned.plan.after)}`,
    '',
    ...(chart === '' ? [] : [chart, '']),
    markdownTable(['', 'How many', 'Size', 'What'], rows),
    '',
    ...(largest.length === 0 ? [] : [markdownTable(['Largest paths', 'Size', 'Build'], largest), '']),
  ].join('\n');
}
