import type { Cloud } from '../aws/cloud.ts';
import type { AmiRecord, Ec2Api, Sharing } from '../aws/ec2-api.ts';
import { isRefused, NO_SNAPSHOT } from '../aws/refusal.ts';
import type { ParameterRecord } from '../aws/ssm-api.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { TAGS } from './content.ts';
import { deprecationOf } from './deprecation.ts';
import type { AmiManifest } from './manifest.ts';
import { isShared, missingSharing, NOBODY, ofSnapshots, whoMayUse } from './sharing.ts';
import { REGIONS_AT_ONCE } from './survey.ts';

type Entry = AmiManifest['amis'][number];

/** What differs, of what. */
type DriftKind =
  | 'missing'
  | 'state'
  | 'snapshot'
  | 'tag'
  | 'permission'
  | 'snapshot-permission'
  | 'deprecation'
  | 'protection'
  | 'parameter'
  /** It could not be asked. */
  | 'unknown';

/** Something that is not as a manifest says. */
export interface Drift {
  readonly kind: DriftKind;
  readonly region: string;
  readonly image: string;
  readonly system: string;
  readonly id: string;
  /** What differs and how, in words. */
  readonly what: string;
}

/** What is there of one AMI. */
interface Live {
  readonly ami: AmiRecord | undefined;
  readonly sharing: Sharing;
  readonly snapshotSharing: Sharing;
  readonly parameters: ReadonlyMap<string, ParameterRecord>;
}

/**
 * Compares what a manifest says with what is there, in all regions at once. A region that cannot be asked is told of as such. Throws UserError `input` for credentials of
 * another account, and what credentials throw.
 */
export async function findDrift(cloud: Cloud, manifest: AmiManifest, now: number): Promise<Drift[]> {
  const { account } = await cloud.identity(manifest.home);
  if (account !== manifest.account)
    throw new UserError(
      'input',
      `the manifest is of account ${manifest.account}, and these credentials are of ${account}`,
      {
        hint: `Log in to ${manifest.account}.`,
      },
    );
  const found = await mapParallel(
    [...Map.groupBy(manifest.amis, ({ region }) => region)],
    REGIONS_AT_ONCE,
    async ([region, entries]) => {
      try {
        return await driftIn(cloud, region, entries, { manifest, now });
      } catch (error) {
        if (!(error instanceof UserError) || ['cancelled', 'credentials'].includes(error.code)) throw error;
        return entries.map((entry) => driftOf(entry, 'unknown', error.message));
      }
    },
  );
  return found.flat();
}

interface Against {
  readonly manifest: AmiManifest;
  readonly now: number;
}

async function driftIn(cloud: Cloud, region: string, entries: readonly Entry[], against: Against): Promise<Drift[]> {
  const ec2 = cloud.ec2(region);
  const names = entries.flatMap(({ parameters }) => parameters);
  const [amis, parameters] = await Promise.all([
    ec2.images({ ids: entries.map(({ id }) => id) }),
    names.length > 0 ? cloud.ssm(region).parameters(names) : new Map<string, ParameterRecord>(),
  ]);
  const found = await mapParallel(entries, entries.length, async (entry) => {
    const ami = amis.find(({ id, state }) => id === entry.id && state !== 'deregistered');
    const isReadable = ami?.state === 'available';
    const [snapshot] = ami?.snapshots ?? [];
    const [sharing, snapshotSharing] = await Promise.all([
      isReadable ? ec2.imageSharing(entry.id) : NOBODY,
      isReadable && snapshot !== undefined ? sharingOf(ec2, snapshot) : NOBODY,
    ]);
    return compare(entry, { ami, sharing, snapshotSharing, parameters }, against);
  });
  return found.flat();
}

/** One that is gone is shared with nobody. */
async function sharingOf(ec2: Ec2Api, snapshot: string): Promise<Sharing> {
  try {
    return await ec2.snapshotSharing(snapshot);
  } catch (error) {
    if (isRefused(error, ...NO_SNAPSHOT)) return NOBODY;
    throw error;
  }
}

const driftOf = ({ region, image, system, id }: Entry, kind: DriftKind, what: string): Drift => ({
  ...{ kind, region, image, system, id, what },
});

/** How one AMI differs from its entry. Pure. */
function compare(entry: Entry, live: Live, { manifest, now }: Against): Drift[] {
  const { ami } = live;
  const drift = (kind: DriftKind, what: string): Drift => driftOf(entry, kind, what);
  const pointers = entry.parameters.flatMap((name) => {
    const value = live.parameters.get(name)?.value;
    if (value === entry.id) return [];
    return [drift('parameter', value === undefined ? `${name} does not exist` : `${name} points to ${value}`)];
  });
  if (ami === undefined) return [drift('missing', 'there is no such AMI'), ...pointers];
  const of = <T>(kind: DriftKind, wrong: T | undefined, text: (wrong: T) => string): Drift[] =>
    wrong === undefined ? [] : [drift(kind, text(wrong))];
  const isAvailable = ami.state === 'available';
  const { sharing, shareSnapshots, protection } = manifest;
  return [
    ...(isAvailable ? [] : [drift('state', `it is ${ami.state}`)]),
    ...(entry.snapshot === null || ami.snapshots.includes(entry.snapshot)
      ? []
      : [drift('snapshot', `it is made of ${ami.snapshots.join(', ') || 'nothing'}, not of ${entry.snapshot}`)]),
    ...tagDrift(entry, ami).map((text) => drift('tag', text)),
    ...(isAvailable ? of('permission', sharingDrift(sharing, live.sharing), String) : []),
    ...(isAvailable && shareSnapshots
      ? of('snapshot-permission', sharingDrift(ofSnapshots(sharing), live.snapshotSharing), String)
      : []),
    ...of('deprecation', deprecationDrift(ami, manifest.deprecateAfterDays, now), String),
    ...(protection === 'off' || ami.isProtected
      ? []
      : [drift('protection', 'it is not protected from deregistration')]),
    ...pointers,
  ];
}

function tagDrift(entry: Entry, { tags }: AmiRecord): string[] {
  const wanted: readonly (readonly [string, string])[] = [
    [TAGS.content, entry.content],
    [TAGS.disk, entry.disk],
    [TAGS.image, entry.image],
    [TAGS.system, entry.system],
    [TAGS.version, entry.version],
  ];
  const changed = wanted.flatMap(([key, value]) => {
    const is = tags.get(key);
    if (is === value) return [];
    return [is === undefined ? `${key} is missing` : `${key} is ${is}, not ${value}`];
  });
  return tags.has(TAGS.run) ? changed : [...changed, `${TAGS.run} is missing`];
}

function sharingDrift(wanted: Sharing, is: Sharing): string | undefined {
  const [lost, more] = [missingSharing(wanted, is), missingSharing(is, wanted)];
  const texts = [
    ...(isShared(lost) ? [`${whoMayUse(lost)} may not use it`] : []),
    ...(isShared(more) ? [`${whoMayUse(more)} may use it, too`] : []),
  ];
  return texts.length === 0 ? undefined : texts.join('; ');
}

/** What AWS sets of its own for public AMIs, two years on, is no drift. */
function deprecationDrift({ deprecated, created }: AmiRecord, days: number | null, now: number): string | undefined {
  const isOver = deprecated !== undefined && deprecated <= now;
  const since = deprecated === undefined ? 'never' : dayText(deprecated);
  if (days === null || created === undefined) return isOver ? `it is deprecated since ${since}` : undefined;
  const at = deprecationOf(created, days);
  if (at.isNear(deprecated) || (isOver && at.time <= now)) return undefined;
  return `it is deprecated at ${since}, not at ${dayText(at.time)}`;
}

const dayText = (time: number): string => new Date(time).toISOString().slice(0, 10);
