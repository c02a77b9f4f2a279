import type { Log } from '../core/log.ts';
import { keptBecause, type PrunePlace, type Removal } from '../prune/place.ts';
import { previewNumber } from '../prune/preview-tag.ts';
import type { AskPulls } from '../prune/prune.ts';

/**
 * A place from which a preview goes only as long as its pull request is closed: that is asked before each, for one may be opened again at any time.
 * It is asked after each as well, since nothing holds GitHub still between the two.
 */
export function watchedPlace(place: PrunePlace, askPulls: AskPulls, log: Log): PrunePlace {
  const openOf = async (names: readonly string[]): Promise<number | undefined> => {
    const numbers = [...new Set(names.flatMap((name) => previewNumber(name) ?? []))];
    if (numbers.length === 0) return undefined;
    return [...(await askPulls(numbers))].find(([, state]) => state === 'open')?.[0];
  };
  const watched = async (names: readonly string[], remove: () => Promise<Removal>): Promise<Removal> => {
    const before = await openOf(names);
    if (before !== undefined) return keptBecause(`pull request ${before} is open again`);
    const removal = await remove();
    const after = await openOf(names);
    if (after !== undefined)
      log.warn(`pull request ${after} was opened again: its next build publishes its images again`);
    return removal;
  };
  return {
    name: place.name,
    list: () => place.list(),
    checkMayRemove: () => place.checkMayRemove(),
    condemn: (names) => place.condemn?.(names),
    removeItem: (item) => watched(item.names, () => place.removeItem(item)),
    removeNames: (item, names) => watched(names, () => place.removeNames(item, names)),
    finish: () => place.finish(),
    ...(place.putBack ? { putBack: (item) => place.putBack?.(item) ?? Promise.resolve() } : {}),
    close: () => place.close(),
  };
}
