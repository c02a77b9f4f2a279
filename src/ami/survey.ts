import type { AwsIdentity, Cloud } from '../aws/cloud.ts';
import { type AmiRecord, hasFailed, type Sharing, type SnapshotRecord } from '../aws/ec2-api.ts';
import { isRefused } from '../aws/refusal.ts';
import type { ParameterRecord } from '../aws/ssm-api.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { amiName, contentOf, parameterName, TAGS } from './content.ts';
import { firstRegionBeside, regionsInUse } from './regions.ts';
import { isShared } from './sharing.ts';
import { homeOf, mayFail, regionsOf, type Wanted, type WantedDisk } from './wanted.ts';

/** An AMI that exists, and who may use it and its snapshots. */
interface FoundAmi {
  readonly ami: AmiRecord;
  readonly sharing: Sharing | undefined;
  readonly snapshotSharing: Sharing | undefined;
}

/** A disk in a region: what it is called there, and what is there of it. */
export interface AmiPlace {
  readonly disk: WantedDisk;
  readonly region: string;
  readonly content: string;
  readonly name: string;
  /** The AMI of this content that goes on: the published one, else the one that is furthest. */
  readonly found: FoundAmi | undefined;
  /** AMIs of this content that are of no use: failed copies, and doubles that were never published. */
  readonly surplus: readonly AmiRecord[];
  /** An AMI of another content that has the name. */
  readonly clash: AmiRecord | undefined;
  /** Snapshot that the AMI can be registered from; in the first region alone. */
  readonly snapshot: SnapshotRecord | undefined;
  /** An upload that has not ended; in the first region alone. */
  readonly upload: SnapshotRecord | undefined;
  /** A snapshot of an earlier disk, of which an upload sends the difference alone; undefined where nobody has looked for one. */
  readonly parent?: { readonly snapshotId: string; readonly bytesToSend: number } | undefined;
  /** Parameters that are to point to the AMI, and what they are now. */
  readonly parameters: ReadonlyMap<string, ParameterRecord | undefined>;
}

/** What exists of everything that is wanted. */
export interface Survey {
  readonly account: string;
  readonly places: readonly AmiPlace[];
  /** Regions that may fail and could not be asked, with the reason. */
  readonly unreached: ReadonlyMap<string, string>;
}

/** Regions asked at once: enough for all of a partition in a few rounds, and far from AWS's limits. */
export const REGIONS_AT_ONCE = 12;

/** Reads what exists, by content, in all regions at once. Throws UserError for a region that must not fail, or an account that is not allowed. */
export async function survey(cloud: Cloud, wanted: Wanted): Promise<Survey> {
  const home = homeOf(wanted);
  const { account, arn } = await identify(cloud, wanted);
  if (wanted.accounts.length > 0 && !wanted.accounts.includes(account))
    throw new UserError('input', `${arn} is of account ${account}, which AMIs are not to be made in`, {
      hint: `Log in to ${wanted.accounts.join(' or ')}, or add the account to those that are allowed.`,
    });
  await checkRegions(cloud, wanted, home);
  const unreached = new Map<string, string>();
  const places = await mapParallel(regionsOf(wanted), REGIONS_AT_ONCE, async (region) => {
    try {
      return await surveyRegion(cloud, wanted, region);
    } catch (error) {
      if (!mayFail(wanted, region) || !(error instanceof UserError) || error.code === 'cancelled') throw error;
      unreached.set(region, error.message);
      return [];
    }
  });
  return { account, places: places.flat(), unreached };
}

/** Who we are. What is no region has no host that could say so: another one knows it. */
async function identify(cloud: Cloud, wanted: Wanted): Promise<AwsIdentity> {
  const home = homeOf(wanted);
  try {
    return await cloud.identity(home);
  } catch (error) {
    const other = firstRegionBeside(home);
    const isOfPlace = error instanceof UserError && !['cancelled', 'credentials'].includes(error.code);
    if (isOfPlace && other !== undefined && other !== home) {
      const failure = await checkRegions(cloud, wanted, other).catch((reason: unknown) => reason);
      if (failure instanceof UserError && failure.code === 'input') throw failure;
    }
    throw error;
  }
}

/** EC2 answers as to wrong credentials in a region that is switched off, so it is asked before, in a region that is on. */
const checkRegions = (cloud: Cloud, wanted: Wanted, asked: string): Promise<string[]> =>
  regionsInUse(cloud, asked, regionsOf(wanted), (region) => mayFail(wanted, region));

async function surveyRegion(cloud: Cloud, wanted: Wanted, region: string): Promise<AmiPlace[]> {
  const ec2 = cloud.ec2(region);
  const disks = wanted.disks.map((disk) => {
    const content = contentOf(disk, wanted.kmsKeys[region]);
    const parameters = wanted.parameters.map((template) => parameterName(template, disk, content));
    return { disk, content, parameters, name: amiName(wanted, disk, content) };
  });
  const contents = disks.map(({ content }) => content);
  const byContent = await ec2.images({ tag: TAGS.content, values: contents });
  const isFound = (content: string): boolean =>
    byContent.some((ami) => ami.tags.get(TAGS.content) === content && isThere(ami) && !hasFailed(ami));
  // What is there is not made, so neither its name nor a snapshot is asked for.
  const missing = disks.filter(({ content }) => !isFound(content));
  const names = missing.map(({ name }) => name);
  const identities = region === homeOf(wanted) ? missing.map(({ disk }) => disk.identity) : [];
  const [byName, snapshots, stored] = await Promise.all([
    names.length > 0 ? ec2.images({ names }) : [],
    identities.length > 0 ? ec2.snapshots({ tag: TAGS.disk, values: identities }) : [],
    wanted.parameters.length > 0
      ? cloud.ssm(region).parameters(disks.flatMap(({ parameters }) => parameters))
      : new Map<string, ParameterRecord>(),
  ]);
  return await Promise.all(
    disks.map(async ({ disk, content, parameters, name }): Promise<AmiPlace> => {
      const alive = byContent.filter(isThere);
      const [best, ...rest] = alive.filter((ami) => ami.tags.get(TAGS.content) === content).toSorted(byWorth);
      const isUsable = best !== undefined && !hasFailed(best);
      const clash = byName.find((ami) => ami.name === name && ami.tags.get(TAGS.content) !== content && isThere(ami));
      const uploads = snapshots.filter((one) => one.tags.get(TAGS.disk) === disk.identity && mayServe(one, content));
      return {
        ...{ disk, region, content, name, clash },
        found: isUsable ? await withSharing(cloud, wanted, region, best) : undefined,
        surplus: (isUsable || best === undefined ? rest : [best, ...rest]).filter((ami) => !ami.tags.has(TAGS.run)),
        snapshot: uploads.find(({ state }) => state === 'completed'),
        upload: uploads.find(({ state, tags }) => state === 'pending' && tags.has(TAGS.token)),
        parameters: new Map(parameters.map((parameter) => [parameter, stored.get(parameter)])),
      };
    }),
  );
}

/** An encrypted snapshot has a key, which only the content tells. */
const mayServe = ({ tags, isEncrypted }: SnapshotRecord, content: string): boolean =>
  tags.get(TAGS.content) === content || !isEncrypted;

const isThere = ({ state }: AmiRecord): boolean => state !== 'deregistered';

const STATES = ['available', 'pending', 'disabled'];

const worth = ({ tags, state }: AmiRecord): number =>
  (tags.has(TAGS.run) ? 0 : 10) + (STATES.includes(state) ? STATES.indexOf(state) : STATES.length);

/** Published ones first, then those that are furthest, then the oldest: so that every run chooses the same. */
const byWorth = (a: AmiRecord, b: AmiRecord): number =>
  worth(a) - worth(b) || (a.created ?? 0) - (b.created ?? 0) || (a.id < b.id ? -1 : 1);

/** Asks for permissions only where some are wanted, and one request fewer for what is public already. */
async function withSharing(cloud: Cloud, wanted: Wanted, region: string, ami: AmiRecord): Promise<FoundAmi> {
  const [snapshot] = ami.snapshots;
  if (!isShared(wanted.sharing) || ami.state !== 'available' || snapshot === undefined)
    return { ami, sharing: undefined, snapshotSharing: undefined };
  try {
    const ec2 = cloud.ec2(region);
    const [sharing, snapshotSharing] = await Promise.all([ec2.imageSharing(ami.id), ec2.snapshotSharing(snapshot)]);
    return { ami, sharing, snapshotSharing };
  } catch (error) {
    // Who may not look shares again, which changes nothing where it is so already.
    if (!isRefused(error, 'UnauthorizedOperation')) throw error;
    return { ami, sharing: undefined, snapshotSharing: undefined };
  }
}

/** Whether some AMI of a disk is published: then the disk is live, and nothing takes away what it has. */
export const isLive = (places: readonly AmiPlace[], disk: WantedDisk): boolean =>
  places.some((place) => place.disk === disk && place.found?.ami.tags.has(TAGS.run) === true);
