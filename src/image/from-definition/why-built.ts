import type { Closure } from '../../definition/closure.ts';
import { storeHash, storePathName } from '../../definition/store-path.ts';
import type { Reuse } from '../reuse.ts';

/** Names of changed paths that are listed. */
const SHOWN = 3;

/**
 * Why an image is built, for its log: no earlier image to reuse, or what of it has changed. `groups` are the hashes of the
 * store paths in the layers of the image before; of what it does not have, the largest are named.
 */
export function whyBuilt(closure: Closure, { groups }: Pick<Reuse, 'groups'>): string {
  const before = new Set(groups.flat());
  if (before.size === 0) return 'new: no earlier image to reuse';
  const changed = closure.filter(({ path }) => !before.has(storeHash(path))).sort((a, b) => b.narSize - a.narSize);
  if (changed.length === 0) return 'no store path has changed';
  const names = changed.slice(0, SHOWN).map(({ path }) => storePathName(path));
  const more = changed.length > SHOWN ? ` and ${changed.length - SHOWN} more` : '';
  return `changed: ${names.join(', ')}${more}`;
}
