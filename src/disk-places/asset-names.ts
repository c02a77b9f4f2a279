import type { ReleaseAsset, ReleaseUploads } from '../github/rest/release-uploads.ts';

/** How an asset is called until it takes the place of another one, in a release that people see. */
export const STAGED_PREFIX = 'staged-';

/** How an asset is called that has made way for another one, until all of its disk have. */
const REPLACED_PREFIX = 'replaced-';

/** An asset that is there, and what it is to be called. */
export interface NamedAsset {
  readonly asset: ReleaseAsset;
  readonly name: string;
}

type Names = Pick<ReleaseUploads, 'rename' | 'remove'>;

/**
 * Gives assets their names. GitHub takes no two of one name, so what is there makes way first, and is removed when all have
 * their names; where that fails, every asset gets the name back that it had, and the release has the disk before. Throws
 * what the renames throw.
 */
export async function giveNames(
  api: Names,
  placed: readonly NamedAsset[],
  there: readonly ReleaseAsset[],
): Promise<void> {
  const renamed: NamedAsset[] = [];
  const replaced: ReleaseAsset[] = [];
  const rename = async (asset: ReleaseAsset, name: string): Promise<void> => {
    await api.rename(asset, name);
    renamed.push({ asset, name: asset.name });
  };
  try {
    for (const { asset, name } of placed) {
      if (asset.name === name) continue;
      const before = there.find((other) => other.name === name);
      if (before) {
        await rename(before, `${REPLACED_PREFIX}${name}`);
        replaced.push(before);
      }
      await rename(asset, name);
    }
  } catch (error) {
    for (const { asset, name } of renamed.reverse()) await api.rename(asset, name).catch(() => undefined);
    throw error;
  }
  for (const asset of replaced) await api.remove(asset);
}

/**
 * Takes away what a run left that was ended, and gives the assets as they are then. Where it was ended between two names,
 * the disk before gets its names back: something staged is left then.
 */
export async function withoutLeft(
  api: Names,
  assets: readonly ReleaseAsset[],
  isOwn: (asset: ReleaseAsset) => boolean,
): Promise<readonly ReleaseAsset[]> {
  const staged = assets.filter(({ name }) => name.startsWith(STAGED_PREFIX));
  const wasBetween = staged.some((asset) => asset.isWhole && !isOwn(asset));
  const gone = new Set<ReleaseAsset>();
  const remove = async (asset: ReleaseAsset): Promise<void> => {
    await api.remove(asset);
    gone.add(asset);
  };
  const restored: ReleaseAsset[] = [];
  for (const asset of assets.filter(({ name }) => name.startsWith(REPLACED_PREFIX))) {
    const name = asset.name.slice(REPLACED_PREFIX.length);
    const successor = assets.find((other) => other.name === name);
    if (successor && !wasBetween) {
      await remove(asset);
      continue;
    }
    if (successor) await remove(successor);
    await api.rename(asset, name);
    gone.add(asset);
    restored.push({ ...asset, name });
  }
  for (const asset of assets)
    if (!isOwn(asset) && !gone.has(asset) && (!asset.isWhole || asset.name.startsWith(STAGED_PREFIX)))
      await remove(asset);
  return [...assets.filter((asset) => !gone.has(asset)), ...restored];
}
