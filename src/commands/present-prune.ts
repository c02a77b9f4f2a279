import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import type { Pruned } from '../prune/prune.ts';
import { prunedCounts, prunedMarkdown, prunedText } from '../prune/report.ts';
import { prunedRows } from '../prune/rows.ts';

/** What `prune` did, or would do, in each of its faces. */
export function presentPrune(places: readonly Pruned[]) {
  const all = places.map(dataOf);
  const data = { schemaVersion: 1, dryRun: places.some(({ isDryRun }) => isDryRun), places: all };
  const failure = failureOf(places);
  return {
    outputs: {
      removed: String(all.reduce((sum, { removed }) => sum + removed.items + removed.names, 0)),
      freed: String(all.reduce((sum, { bytesFreed }) => sum + bytesFreed, 0)),
      json: JSON.stringify(data),
    },
    data,
    text: places.map(prunedText).join('\n\n'),
    summary: places.map(prunedMarkdown).join('\n'),
    ...(failure ? { failure } : {}),
  };
}

function dataOf(pruned: Pruned) {
  const rows = prunedRows(pruned);
  const { items, names } = prunedCounts(rows);
  const kept = pruned.decisions
    .filter(({ goes, names }) => !goes && names.length > 0)
    .map(({ item, names, why }) => ({
      id: item.id,
      names: names.filter((name) => !name.goes).map(({ name, why: reason }) => ({ name, why: reason })),
      why,
    }));
  // The name of a cache or an artifact goes with it, and counts once.
  const removed = { items, names: pruned.noun === 'manifest' ? names : 0 };
  return { name: pruned.name, kind: pruned.noun, removed, bytesFreed: pruned.freed, rows, kept };
}

/** What GitHub or a registry refuses to delete for good is told, and is no failure; what could not be done is. */
function failureOf(places: readonly Pruned[]): UserError | undefined {
  const failed = places.flatMap(({ outcomes }) => outcomes.filter(({ kind }) => kind === 'failed'));
  const error = places.find((place) => place.error)?.error;
  if (error === undefined) return undefined;
  const { code, message, hint, docs } = error;
  const count = failed.length === 0 ? '' : `${countText(failed.length, 'removal')} failed: `;
  return new UserError(code, `${count}${message}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(docs === undefined ? {} : { docs }),
    cause: error,
  });
}
