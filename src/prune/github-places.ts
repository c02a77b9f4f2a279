import { kindOfKey } from '../cache/keys.ts';
import { UserError } from '../core/error.ts';
import type { RepositoryArtifacts } from '../github/rest/artifact-list.ts';
import type { RestCaches } from '../github/rest/caches.ts';
import { GONE, keptBecause, type PrunePlace, REMOVED, type Removal } from './place.ts';
import type { Prunable } from './prunable.ts';

/** What differs between kinds of things that are removed whole. */
interface WholePlace extends Pick<PrunePlace, 'name' | 'list' | 'removeItem'> {
  readonly noun: string;
}

/** A place of things that have one name each at most, which goes with them. */
export function wholePlace(place: WholePlace): PrunePlace {
  return {
    ...place,
    isSteady: true,
    // Only deleting shows whether the token may.
    checkMayRemove: async () => {},
    removeNames: async () => keptBecause('its name goes with it'),
    finish: async () => {},
    close: async () => {},
  };
}

/** Something of that name which stores so much, and which nothing else stores. */
export function wholeItem(
  id: number | string,
  name: string,
  {
    bytes,
    time,
    ...whole
  }: { readonly bytes: number; readonly time: number | undefined } & NonNullable<Prunable['whole']>,
): Prunable {
  return {
    ...{ id: String(id), names: [name], time, needs: [], about: [] },
    stored: new Map([[String(id), bytes]]),
    whole,
  };
}

const MERGE_REF = /^refs\/pull\/(\d+)\/merge$/;

/**
 * The caches of a repository, by key. An entry is as old as its last use is ago. What `cache` of this project stores is left to it, but
 * for what was stored for a closed pull request: packs that an index names must not go before it.
 */
export function cachesPlace(name: string, caches: Pick<RestCaches, 'listed' | 'remove'>): PrunePlace {
  return wholePlace({
    name,
    noun: 'cache',
    list: async () => {
      const entries = await caches.listed();
      return entries.map(({ id, key, ref = '', bytes, used }) => {
        const pull = MERGE_REF.exec(ref)?.[1];
        const guard = kindOfKey(key) === undefined ? undefined : 'nix-images keeps its own caches';
        return wholeItem(id, key, { bytes, time: used, pull: pull === undefined ? undefined : Number(pull), guard });
      });
    },
    removeItem: async ({ id, names: [key = ''], time = 0 }) => {
      // By the key, for there is no way to ask for one entry. Who has read it since wants it.
      const now = (await caches.listed({ key, ref: undefined })).find((entry) => entry.id === id);
      if (now === undefined) return GONE;
      if (now.used > time) return keptBecause('it was used meanwhile');
      const removed = await caches.remove(id);
      const { kind, why = '' } = removed;
      if (kind === 'removed') return REMOVED;
      if (kind === 'gone') return GONE;
      throw new UserError(kind === 'denied' ? 'credentials' : 'github', `cannot delete the cache ${key}: ${why}`, {
        hint: kind === 'denied' ? 'Add it to the job.' : 'Run again; what is left then goes.',
        docs: kind === 'denied' ? 'retention.md#caches-artifacts-and-releases' : undefined,
      });
    },
  });
}

/** The artifacts of all runs of a repository, by name. Those of a run that has not ended stay: a job of it may be about to read them. */
export function artifactsPlace(name: string, artifacts: RepositoryArtifacts): PrunePlace {
  const runs = new Map<string, number | undefined>();
  return wholePlace({
    name,
    noun: 'artifact',
    list: async () => {
      const all = await artifacts.list();
      for (const { id, run } of all) runs.set(String(id), run);
      return all.map((one) => wholeItem(one.id, one.name, { bytes: one.bytes, time: one.created }));
    },
    removeItem: async ({ id }): Promise<Removal> => {
      const run = runs.get(id);
      if (run !== undefined && !(await artifacts.isOver(run))) return keptBecause(`run ${run} has not ended`);
      return (await artifacts.remove(Number(id))) === 'gone' ? GONE : REMOVED;
    },
  });
}
