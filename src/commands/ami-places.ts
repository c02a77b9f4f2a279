import { TAGS } from '../ami/content.ts';
import { REGIONS_AT_ONCE } from '../ami/survey.ts';
import { amisOf, snapshotsOf } from '../ami/tagged.ts';
import type { Cloud } from '../aws/cloud.ts';
import { parseAge } from '../core/age.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { Clock } from '../core/retry.ts';
import { flag, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import { AmiReleasesPlace } from '../prune/ami-place.ts';
import type { PrunePlace } from '../prune/place.ts';
import { chosenRegions } from './ami-pointers.ts';

const SCHEME = 'ami:';

/** AMIs of ours: of one image or of all, in some regions or in all that the account uses. */
export interface AmiPlaces {
  readonly kind: 'ami';
  /** Undefined for all images. */
  readonly image: string | undefined;
  /** Empty for all regions. */
  readonly regions: readonly string[];
}

export const isAmiPlace = (text: string): boolean => text.startsWith(SCHEME);

const WRITTEN = /^([^@\s]+)(?:@([a-z0-9-]+(?:,[a-z0-9-]+)*))?$/;

/** Reads `ami:team/server`, `ami:*`, or `ami:team/server@eu-central-1,us-east-1`. Throws UserError `input`. */
export function parseAmiPlaces(text: string): AmiPlaces {
  const [, image, regions] = WRITTEN.exec(text.slice(SCHEME.length)) ?? [];
  if (image !== undefined)
    return { kind: 'ami', image: image === '*' ? undefined : image, regions: regions?.split(',') ?? [] };
  throw new UserError('input', `${JSON.stringify(text)} does not name AMIs`, {
    hint: 'Write ami:IMAGE, ami:IMAGE@REGION,REGION, or ami:* for all images.',
    docs: 'ami-lifecycle.md#removal',
  });
}

/** Inputs of `prune` that AMIs alone know. */
export const amiPruneInputs = {
  deprecatedFor: text({
    description:
      'AMIs are deprecated first, and stay so for this time before they are disabled; `0d` leaves the step out.',
    placeholder: 'AGE',
    default: '30d',
    parse: parseAge,
  }),
  disabledFor: text({
    description:
      'AMIs stay disabled for this time before they are deregistered with their snapshots; `0d` leaves the step out.',
    placeholder: 'AGE',
    default: '14d',
    parse: parseAge,
  }),
  launchedWithin: text({
    description: 'Keep AMIs that were launched within this time, by whomever; EC2 tells of launches a day later.',
    placeholder: 'AGE',
    parse: parseAge,
  }),
  unprotect: flag({ description: 'End the protection from deregistration of AMIs that go.' }),
} as const;

export interface AmiPruneInputs {
  readonly deprecatedFor: number;
  readonly disabledFor: number;
  readonly unprotect: boolean;
  readonly keepHistory: number;
}

interface AmiWorld extends Pick<Host, 'log' | 'signal'> {
  readonly cloud: Cloud;
  readonly clock: Clock;
}

/** A place for each image and system that there are AMIs or snapshots of. Throws as EC2 does, and UserError `input` for unknown regions. */
export async function openAmiPlaces(
  { image, regions: named }: AmiPlaces,
  { deprecatedFor, disabledFor, unprotect, keepHistory }: AmiPruneInputs,
  { cloud, clock, log, signal }: AmiWorld,
  home: string,
): Promise<PrunePlace[]> {
  const regions = await chosenRegions(cloud, home, named);
  const found = await imagesIn(cloud, regions, image);
  if (found.length === 0) log.info(`no AMIs of ${image ?? 'nix-images'} in ${regions.length} regions`);
  const grace = { deprecated: deprecatedFor, disabled: disabledFor };
  return found.map(
    (one) =>
      new AmiReleasesPlace({
        ...one,
        ...{ regions, cloud, clock, log, signal, grace, keepHistory, unprotects: unprotect },
      }),
  );
}

/** Images and their systems. A region that cannot be asked is told of by the place itself. */
async function imagesIn(cloud: Cloud, regions: readonly string[], image: string | undefined) {
  const found = new Map<string, { readonly image: string; readonly system: string }>();
  const images = image === undefined ? [] : [image];
  const failures: UserError[] = [];
  await mapParallel(regions, REGIONS_AT_ONCE, async (region) => {
    try {
      const ec2 = cloud.ec2(region);
      const [amis, snapshots] = await Promise.all([amisOf(ec2, images), snapshotsOf(ec2, images)]);
      for (const { tags } of [...amis, ...snapshots]) {
        const [of, system] = [tags.get(TAGS.image), tags.get(TAGS.system)];
        if (of !== undefined && system !== undefined) found.set(`${of} ${system}`, { image: of, system });
      }
    } catch (error) {
      if (!(error instanceof UserError) || ['cancelled', 'credentials'].includes(error.code)) throw error;
      failures.push(error);
    }
  });
  const [failure] = failures;
  if (failure !== undefined && found.size === 0) throw failure;
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}
