import { TAGS } from '../ami/content.ts';
import { type AmiRecord, hasFailed, type SnapshotRecord } from '../aws/ec2-api.ts';
import type { Prunable } from './prunable.ts';

/** What one region has of AMIs with our tags. */
export interface AmiRegion {
  readonly region: string;
  readonly amis: readonly AmiRecord[];
  readonly snapshots: readonly SnapshotRecord[];
}

/** An AMI where it is. */
export interface PlacedAmi {
  readonly region: string;
  readonly ami: AmiRecord;
}

/** Something that is removed as one: a release of an image with its AMIs in all regions, or what is left of one in one region. */
export interface AmiItem {
  readonly prunable: Prunable;
  readonly amis: readonly PlacedAmi[];
  /** A snapshot that no AMI is made of. */
  readonly snapshot?: { readonly region: string; readonly record: SnapshotRecord };
}

const NEVER_PUBLISHED = 'it was never published';
const NO_AMI = 'no AMI is made of it';

function latest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/**
 * What is removed of one image for one system, as one each: AMIs of the same disk and version in all regions are a release, under its version; AMIs that were
 * never published, and snapshots that no AMI is made of, have no name. Pure.
 */
export function amiItems(regions: readonly AmiRegion[]): AmiItem[] {
  const all = regions.flatMap(({ region, amis }) => amis.map((ami): PlacedAmi => ({ region, ami })));
  const alive = all.filter(({ ami }) => ami.state !== 'deregistered');
  const isPublished = ({ ami }: PlacedAmi): boolean => ami.tags.has(TAGS.run) && !hasFailed(ami);
  const sizes = new Map(
    regions.flatMap(({ region, snapshots }) =>
      snapshots.map(({ id, bytes = 0 }): [string, number] => [`${region}/${id}`, bytes]),
    ),
  );
  const storedOf = (amis: readonly PlacedAmi[]): Map<string, number> => {
    const ids = amis.flatMap(({ region, ami }) => ami.snapshots.map((id) => `${region}/${id}`));
    return new Map(ids.map((id) => [id, sizes.get(id) ?? 0]));
  };
  const releases = [...Map.groupBy(alive.filter(isPublished), releaseOf)].map(([id, amis]): AmiItem => {
    const used = latest(amis.map(({ ami }) => ami.launched));
    const prunable = {
      ...{ id, names: [versionOf(amis)], needs: [], about: [], stored: storedOf(amis) },
      time: latest(amis.map(({ ami }) => ami.created)),
      whole: used === undefined ? {} : { used },
    };
    return { prunable, amis };
  });
  const leftovers = alive
    .filter((one) => !isPublished(one))
    .map((one): AmiItem => {
      const { region, ami } = one;
      const prunable = {
        ...{ id: `${region}/${ami.id}`, names: [], needs: [], about: [], stored: storedOf([one]) },
        ...{ time: ami.created, whole: { unnamed: NEVER_PUBLISHED } },
      };
      return { prunable, amis: [one] };
    });
  return [...releases, ...leftovers, ...regions.flatMap((region) => orphansIn(region, sizes))];
}

function orphansIn({ region, amis, snapshots }: AmiRegion, sizes: ReadonlyMap<string, number>): AmiItem[] {
  const alive = amis.filter(({ state }) => state !== 'deregistered');
  const used = new Set(alive.flatMap((ami) => ami.snapshots));
  // The snapshots of a pending copy are not told, but it has them already.
  const copied = new Set(
    alive.filter(({ state }) => state === 'pending').flatMap(({ tags }) => tags.get(TAGS.content) ?? []),
  );
  return snapshots
    .filter(({ id, tags }) => !used.has(id) && !copied.has(tags.get(TAGS.content) ?? ''))
    .map((record): AmiItem => {
      const id = `${region}/${record.id}`;
      const isRest = record.tags.has(TAGS.removed) ? 'its AMI was removed' : undefined;
      const prunable = {
        ...{ id, names: [], needs: [], about: [], stored: new Map([[id, sizes.get(id) ?? 0]]) },
        ...{ time: record.started, whole: { unnamed: NO_AMI, isRest } },
      };
      return { prunable, amis: [], snapshot: { region, record } };
    });
}

/** The disk and the version: registrations of one disk in several ways are one release. */
const releaseOf = ({ ami: { tags } }: PlacedAmi): string =>
  `${tags.get(TAGS.disk) ?? ''}@${tags.get(TAGS.version) ?? ''}`;

const versionOf = ([first]: readonly PlacedAmi[]): string => first?.ami.tags.get(TAGS.version) || first?.ami.name || '';
