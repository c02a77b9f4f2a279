import { sum } from '../core/sum.ts';
import type { BudgetPlan } from './budget.ts';
import { type CacheIndex, packedSize } from './cache-index.ts';

const MEGABYTE = 1_000_000;

/** Images with slices of their own: more cannot be told apart, and Mermaid has twelve colours for them, each system's, and what is left. */
const IMAGES = 4;

/** A smaller part of the whole is a line with a number that covers the next one. */
const SMALLEST_SLICE = 0.02;

/**
 * A hue for each image, lighter for the second system. Those of Mermaid's themes change with every slice, and what is free is red.
 * Text in slices is dark, so none of them is.
 */
const HUES = [
  ['#6cb6ff', '#b6dcff'],
  ['#57c27a', '#a9e2bb'],
  ['#e9a23b', '#f5d19a'],
  ['#c297f5', '#e0cdfb'],
] as const;

const OTHER_IMAGES = '#8fd3d1';
const OTHER_TOOLS = '#9aa4af';
const FREE = '#e6e9ec';
const LINE = '#57606a';
const TEXT = '#1f2328';

interface Slice {
  readonly name: string;
  readonly bytes: number;
  readonly colour: string;
}

/** Mermaid knows no escapes within a label, and a quote ends it. */
const label = (text: string): string => `"${text.replace(/[^\w .,:/()+-]/g, '_').slice(0, 60)}"`;

const bySize = <T extends { readonly bytes: number; readonly name: string }>(items: readonly T[]): T[] =>
  [...items].sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));

/** What takes how much of the limit, in bytes: each image with its systems, the largest first, then other tools and what is free. */
function slicesOf(index: CacheIndex, plan: BudgetPlan): readonly Slice[] {
  const free = Math.max(0, plan.limit - plan.after);
  const kept = index.paths.filter(({ path }) => plan.kept.has(path));
  const sizeOf = (paths: typeof kept): number => sum(paths.map(packedSize));
  const whole = sizeOf(kept) + plan.others + free;
  const images = [...Map.groupBy(kept, ({ image }) => image ?? 'several images')].map(([name, paths]) => ({
    ...{ name, bytes: sizeOf(paths) },
    systems: bySize(
      [...Map.groupBy(paths, ({ system }) => system)].map(([system, own]) => ({ name: system, bytes: sizeOf(own) })),
    ),
  }));
  const shown = bySize(images).slice(0, IMAGES);
  const large = shown.flatMap(({ name, systems }, at) =>
    systems.map(
      (system, place): Slice => ({
        name: `${name} (${system.name})`,
        bytes: system.bytes,
        colour: HUES[at]?.[Math.min(place, 1)] ?? OTHER_IMAGES,
      }),
    ),
  );
  const own = large.filter(({ bytes }) => bytes >= whole * SMALLEST_SLICE);
  return [
    ...own,
    { name: 'other images', bytes: sizeOf(kept) - sum(own.map(({ bytes }) => bytes)), colour: OTHER_IMAGES },
    { name: 'other tools', bytes: plan.others, colour: OTHER_TOOLS },
    { name: 'free', bytes: free, colour: FREE },
  ];
}

/** Mermaid writes numbers as they are. */
function megabytes(bytes: number): string {
  const size = bytes / MEGABYTE;
  return size >= 10 ? String(Math.round(size)) : size.toFixed(2);
}

/**
 * The cache's budget as a pie that GitHub's summaries draw (mermaid.js.org, "Pie chart diagrams"), in megabytes. Mermaid refuses
 * slices below 0 and draws none of 0. The theme stays the page's own, for text beside the pie is light or dark with it.
 */
export function budgetChart(index: CacheIndex, plan: BudgetPlan): string {
  const slices = slicesOf(index, plan).filter(({ bytes }) => bytes >= MEGABYTE / 100);
  if (slices.length === 0) return '';
  const colours = Object.fromEntries(slices.map(({ colour }, at) => [`pie${at + 1}`, colour]));
  const lines = { pieStrokeColor: LINE, pieStrokeWidth: '1px', pieOuterStrokeColor: LINE, pieOuterStrokeWidth: '1px' };
  const init = { themeVariables: { ...colours, ...lines, pieOpacity: '1', pieSectionTextColor: TEXT } };
  return [
    '```mermaid',
    `%%{init: ${JSON.stringify(init)}}%%`,
    "pie showData title The cache's limit by image, in MB",
    ...slices.map(({ name, bytes }) => `    ${label(name)} : ${megabytes(bytes)}`),
    '```',
  ].join('\n');
}
