import type { Cloud } from '../aws/cloud.ts';
import type { Ec2Api } from '../aws/ec2-api.ts';
import { isRefused } from '../aws/refusal.ts';
import { countText } from '../core/count.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { isShared, missingSharing, NOBODY } from './sharing.ts';
import { type AmiPlace, REGIONS_AT_ONCE, type Survey } from './survey.ts';
import { mayFail, type Wanted } from './wanted.ts';

/**
 * Asks each region where something is to be made or shared what would be refused after the upload: all regions, before the first change,
 * for a quota reached in the last one would leave half of them public. Gives the survey without the regions that may fail and would.
 * Throws UserError `input` that names every reason in every region.
 */
export async function preflight(cloud: Cloud, wanted: Wanted, survey: Survey): Promise<Survey> {
  const byRegion = [...Map.groupBy(survey.places, ({ region }) => region)].filter(
    ([region, places]) => !survey.unreached.has(region) && places.some((place) => isToBeChanged(place, wanted)),
  );
  const found = await mapParallel(byRegion, REGIONS_AT_ONCE, async ([region, places]) => ({
    region,
    problems: await problemsIn(cloud.ec2(region), wanted, places),
  }));
  const fatal = found.filter(({ region, problems }) => problems.length > 0 && !mayFail(wanted, region));
  if (fatal.length > 0) {
    const lines = fatal.flatMap(({ region, problems }) => problems.map(({ text }) => `  ${region}: ${text}`));
    throw new UserError('input', `cannot deploy, and nothing was made:\n${lines.join('\n')}`, {
      hint: [...new Set(fatal.flatMap(({ problems }) => problems.map(({ hint }) => hint)))].join('\n'),
    });
  }
  const left = found.flatMap(({ region, problems }): [string, string][] => {
    const [first] = problems;
    return first === undefined ? [] : [[region, first.text]];
  });
  return { ...survey, unreached: new Map([...survey.unreached, ...left]) };
}

interface Problem {
  readonly text: string;
  readonly hint: string;
}

const sharingOf = ({ found }: AmiPlace) => found?.sharing ?? { ...NOBODY, public: found?.ami.isPublic ?? false };

const isToBeShared = (place: AmiPlace, { sharing }: Wanted): boolean =>
  isShared(missingSharing(sharing, sharingOf(place)));

const isToBeChanged = (place: AmiPlace, wanted: Wanted): boolean =>
  place.found === undefined || isToBeShared(place, wanted);

/** What cannot be asked without a permission is not known to be wrong: the step itself tells. */
async function ifMayAsk<T>(question: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (isRefused(error, 'UnauthorizedOperation', 'AccessDenied')) return otherwise;
    throw error;
  }
}

async function problemsIn(ec2: Ec2Api, wanted: Wanted, places: readonly AmiPlace[]): Promise<Problem[]> {
  if (!isShared(wanted.sharing)) return [];
  const { public: isPublic } = wanted.sharing;
  const [encrypts, blocksImages, blocksSnapshots, publicNow] = await Promise.all([
    ifMayAsk(() => ec2.encryptsByDefault(), false),
    isPublic && ifMayAsk(() => ec2.blocksPublicImages(), false),
    isPublic && wanted.shareSnapshots && ifMayAsk(() => ec2.blocksPublicSnapshots(), false),
    isPublic ? ec2.images({ isPublic: true }) : [],
  ]);
  const hasNew = places.some(({ found }) => found === undefined);
  const hasKey = places.some(({ region }) => wanted.kmsKeys[region] !== undefined);
  const more = places.filter((place) => isToBeShared(place, wanted)).length;
  const isOver = isPublic && publicNow.length + more > wanted.publicQuota;
  return [
    ...(encrypts && hasNew && (isPublic || !hasKey) ? [ENCRYPTED] : []),
    ...(blocksImages ? [BLOCKED_IMAGES] : []),
    ...(blocksSnapshots ? [BLOCKED_SNAPSHOTS] : []),
    ...(isOver
      ? [
          {
            text: `${countText(publicNow.length, 'public AMI')} and ${more} more are over the quota of ${wanted.publicQuota}`,
            hint: 'Remove old AMIs (prune), ask AWS for a higher quota of public AMIs, or say what it is if it is higher.',
          },
        ]
      : []),
  ];
}

const ENCRYPTED: Problem = {
  text: 'the account encrypts new snapshots by default, and what is encrypted so cannot be shared',
  hint: 'Switch off encryption by default in that region; to share with accounts, give a key of your own.',
};

const BLOCKED_IMAGES: Problem = {
  text: 'block public access for AMIs is enabled',
  hint: 'Disable block public access for AMIs (aws ec2 disable-image-block-public-access), which takes up to 10 minutes.',
};

const BLOCKED_SNAPSHOTS: Problem = {
  text: 'block public access for snapshots is enabled',
  hint: 'Disable block public access for snapshots, or do not share the snapshots.',
};
