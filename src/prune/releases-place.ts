import type { Releases, StoredRelease } from '../github/rest/releases.ts';
import { wholeItem, wholePlace } from './github-places.ts';
import { GONE, keptBecause, type PrunePlace, REMOVED } from './place.ts';

const LATEST = 'GitHub shows it as the latest release';
const IMMUTABLE = 'it is immutable: no release could have its tag again';

const bytesOf = ({ assets }: StoredRelease): number => assets.reduce((sum, { bytes }) => sum + bytes, 0);

/** The releases of a kind, by tag, with their assets; their git tags stay. The latest stays, and what is immutable, unless force is given. */
export function releasesPlace(
  name: string,
  releases: Releases,
  { kind, isForced }: { readonly kind: StoredRelease['kind']; readonly isForced: boolean },
): PrunePlace {
  return wholePlace({
    name,
    noun: kind,
    list: async () => {
      const all = await releases.list();
      const latest = await releases.latest();
      return all
        .filter((one) => one.kind === kind)
        .map((one) => {
          const guard = one.id === latest ? LATEST : one.isImmutable ? IMMUTABLE : undefined;
          return wholeItem(one.id, one.tag, { bytes: bytesOf(one), time: one.time, guard });
        });
    },
    removeItem: async ({ id, time }) => {
      const now = await releases.read(Number(id));
      if (now === undefined) return GONE;
      if (now.kind !== kind) return keptBecause(`it is a ${now.kind} by now`);
      if (now.time !== time) return keptBecause('it has changed meanwhile');
      if (!isForced && kind === 'release' && (await releases.latest()) === now.id) return keptBecause(LATEST);
      return (await releases.remove(now.id)) === 'gone' ? GONE : REMOVED;
    },
  });
}

/** The files of releases that are published, by the release's tag and their names (`v1.2.3/app.raw.zst`); the releases themselves stay. */
export function assetsPlace(
  name: string,
  releases: Releases,
  { isForced }: { readonly isForced: boolean },
): PrunePlace {
  const owners = new Map<string, number>();
  return wholePlace({
    name,
    noun: 'asset',
    list: async () => {
      const published = (await releases.list()).filter(({ kind }) => kind !== 'draft');
      const latest = await releases.latest();
      return published.flatMap(({ id: owner, tag, time, assets }) =>
        assets.map(({ id, name: file, bytes }) => {
          owners.set(String(id), owner);
          return wholeItem(id, `${tag}/${file}`, { bytes, time, guard: owner === latest ? LATEST : undefined });
        }),
      );
    },
    removeItem: async ({ id }) => {
      if (!isForced && (await releases.latest()) === owners.get(id)) return keptBecause(LATEST);
      const removed = await releases.removeAsset(Number(id));
      if (removed === 'immutable') return keptBecause('its release is immutable');
      return removed === 'gone' ? GONE : REMOVED;
    },
  });
}
