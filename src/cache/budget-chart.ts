import type { BudgetPlan } from './budget.ts';
import { type CacheIndex, packedSize } from './cache-index.ts';

/** Slices for systems and images; Mermaid's twelfth has the colour of the first again, and two more are always there. */
const SLICES = 9;

const MEGABYTE = 1_000_000;

/** Mermaid knows no escapes within a label, and a quote ends it. */
const label = (text: string): string => `"${text.replace(/[^\w .,:/()+-]/g, '_').slice(0, 60)}"`;

/** What takes how much of the limit, largest first, in bytes: image and system, other tools, what is free. */
function slicesOf(index: CacheIndex, plan: BudgetPlan): readonly (readonly [string, number])[] {
  const sizes = new Map<string, number>();
  for (const path of index.paths) {
    if (!plan.kept.has(path.path)) continue;
    const name = `${path.image ?? 'several images'} (${path.system})`;
    sizes.set(name, (sizes.get(name) ?? 0) + packedSize(path));
  }
  const sorted = [...sizes].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  const rest = sorted.slice(SLICES).reduce((sum, [, bytes]) => sum + bytes, 0);
  return [
    ...sorted.slice(0, SLICES),
    ['other images', rest],
    ['other tools', plan.others],
    ['free', Math.max(0, plan.limit - plan.after)],
  ];
}

/**
 * The cache's budget as a pie that GitHub's summaries draw (mermaid.js.org, "Pie chart diagrams"), in megabytes. Mermaid refuses
 * slices below 0 and draws none of 0.
 */
export function budgetChart(index: CacheIndex, plan: BudgetPlan): string {
  const slices = slicesOf(index, plan).filter(([, bytes]) => bytes >= MEGABYTE / 100);
  if (slices.length === 0) return '';
  const lines = slices.map(([name, bytes]) => `    ${label(name)} : ${(bytes / MEGABYTE).toFixed(2)}`);
  return ['```mermaid', 'pie showData title The cache by image, in MB', ...lines, '```'].join('\n');
}
