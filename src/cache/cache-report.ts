import { countText } from '../core/count.ts';
import { codeMarkdown, markdownTable } from '../core/markdown.ts';
import { sizeText } from '../core/size.ts';
import { sum } from '../core/sum.ts';
import { columns, truncate } from '../core/table.ts';
import { durationText } from '../core/time.ts';
import { currentPaths } from './budget.ts';
import { budgetChart } from './budget-chart.ts';
import { budgetBar, budgetHead, largestPaths, type PlannedCache } from './budget-report.ts';
import { type CachedPath, packedSize } from './cache-index.ts';

/** What is in a cache, and what became of the rest. */
export interface CacheState extends PlannedCache {
  /** What the store has dropped by itself, though the index names it. */
  readonly gone: { readonly packs: number; readonly paths: number };
}

/** What an image of one system has in the cache. */
interface ImageShare {
  readonly system: string;
  /** Undefined for what several images need. */
  readonly image: string | undefined;
  readonly paths: number;
  readonly bytes: number;
  /** Of builds that a job is spared. */
  readonly seconds: number;
}

/** Outputs of one derivation took their time together. */
const buildSeconds = (paths: readonly CachedPath[]): number =>
  sum([...new Map(paths.map((path) => [path.deriver ?? path.path, path.seconds])).values()]);

/** The cache by system and image, what saves most first. Only what some image needs now saves anything. */
export function imageShares({ index }: Pick<CacheState, 'index'>): readonly ImageShare[] {
  const current = currentPaths(index);
  return [...Map.groupBy(index.paths, ({ system, image }) => JSON.stringify([system, image ?? null])).values()]
    .map((paths): ImageShare => {
      const [{ system = '', image } = {}] = paths;
      const seconds = buildSeconds(paths.filter(({ path }) => current.has(path)));
      return { system, image, paths: paths.length, bytes: sum(paths.map(packedSize)), seconds };
    })
    .sort((a, b) => b.seconds - a.seconds || b.bytes - a.bytes);
}

const rowsOf = (state: CacheState): string[][] =>
  imageShares(state).map(({ system, image, paths, bytes, seconds }) => [
    image ?? 'several images',
    system,
    countText(paths, 'path'),
    sizeText(bytes),
    durationText(seconds * 1000),
  ]);

/** What was lost and what is about to go, a line each. */
function goingLines({ store, gone, plan }: CacheState): string[] {
  const reasons = [...Map.groupBy(plan.dropped, ({ why }) => why)].map(
    ([why, paths]) =>
      `the next merge drops ${countText(paths.length, 'path')} (${sizeText(sum(paths.map(({ bytes }) => bytes)))}): ${why}`,
  );
  const lost =
    gone.packs === 0
      ? []
      : [`${store} has dropped ${countText(gone.packs, 'pack')} with ${countText(gone.paths, 'path')} by itself`];
  return [...lost, ...reasons];
}

const HEADINGS = ['image', 'system', 'paths', 'size', 'builds saved'];

/** A cache for a terminal of 80 columns; sentences are as long as they are, for their end says why. */
export function cacheText(state: CacheState): string {
  const cut = (line: string): string => truncate(line, 80);
  const rows = rowsOf(state);
  const largest = largestPaths(state);
  return [
    budgetHead(state),
    budgetBar(state.plan),
    ...(rows.length === 0 ? ['no store paths'] : columns([HEADINGS, ...rows], [2, 3, 4]).map(cut)),
    ...(largest.length === 0 ? [] : ['largest:', ...columns(largest, [1, 2]).map((line) => cut(`  ${line}`))]),
    ...goingLines(state),
  ].join('\n');
}

/** The same for a job's summary. */
export function cacheMarkdown(state: CacheState): string {
  const code = (rows: readonly (readonly string[])[]): string[][] => rows.map((row) => row.map(codeMarkdown));
  const chart = budgetChart(state.index, state.plan);
  const rows = rowsOf(state);
  const largest = largestPaths(state);
  return [
    '### Cache',
    '',
    codeMarkdown(budgetHead(state)),
    '',
    ...(chart === '' ? [] : [chart, '']),
    ...(rows.length === 0 ? [] : [markdownTable(['Image', 'System', 'Paths', 'Size', 'Builds saved'], code(rows)), '']),
    ...(largest.length === 0 ? [] : [markdownTable(['Largest paths', 'Size', 'Build'], code(largest)), '']),
    ...goingLines(state).map((line) => `- ${codeMarkdown(line)}`),
    '',
  ].join('\n');
}
