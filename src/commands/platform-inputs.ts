import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { annotatedKey } from '../definition/image-key.ts';
import type { Host } from '../host/host.ts';
import type { Digest } from '../oci/digest.ts';
import { parseImageManifest } from '../oci/read-manifest.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isNeeded, type Plan, type PlannedImage, type PlannedJob } from '../plan/plan.ts';
import { lostSystems } from '../plan/problems.ts';
import { type DestinationLine, imageLines, parseToLine, type ToLine } from '../publish/destination-line.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { checkPlatforms } from '../publish/platforms.ts';
import { formatLocation, type Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import type { CollectHandovers } from './collecting.ts';
import { isSamePlace } from './handover-trust.ts';
import { inFolder, type Places } from './places.ts';
import { atDigest } from './planned-places.ts';
import type { Publishing } from './publish-image.ts';
import { decisiveLines } from './tags.ts';

/** What a publish of a plan is given beside the plan. */
export interface PlanInputs {
  readonly image: string | undefined;
  readonly to: readonly ToLine[];
  readonly system: readonly System[];
  readonly allowMissing: boolean;
  readonly allowBroken: boolean;
  readonly buildMissing: boolean;
}

/** What it takes to find the parts of an image. */
export interface Finding extends Publishing {
  readonly collect: CollectHandovers;
  /** Closes what published parts are read from. */
  readonly opened: AsyncDisposableStack;
}

/** What there is of an image of a plan. */
interface FoundParts {
  /** Published, or handed over. */
  readonly parts: readonly PlatformInput[];
  /** Jobs of which there is nothing. */
  readonly missing: readonly PlannedJob[];
}

/** Finds what is published or handed over of an image of the plan. Throws UserError `handover` where that is not what was planned. */
export async function findParts(
  image: PlannedImage,
  plan: Plan,
  { allowMissing, to }: PlanInputs,
  { collect, opened, places, host, reuseFrom, tags }: Finding,
): Promise<FoundParts> {
  const lost = lostSystems(image);
  if (lost && !allowMissing) throw lost;
  const destinations = imageLines(to);
  const planned = imageLines(plan.to.map(parseToLine));
  const needed = image.jobs.filter(isNeeded);
  const layerPlaces = (name: string): Location[] => [
    ...planned.map((template) => locationOf(template, name)),
    ...destinations.map((template) => locationOf(template, name)),
    ...reuseFrom,
  ];
  const wanted = {
    image: image.name,
    call: plan.call,
    system: needed.map(({ system }) => system),
    places: layerPlaces,
  };
  const handed = needed.length > 0 ? await collect(wanted, true) : [];
  for (const part of handed) checkKey(part, needed);
  const systems = image.jobs.map(({ system }) => system);
  const published = await Promise.all(
    image.jobs.map(async ({ system, key, published: manifest }): Promise<PlatformInput[]> => {
      if (manifest === null) return [];
      const [first, ...others] = placesAt(decisiveLines(planned, image.name, tags), image.name);
      const from = inFolder(first, host.cwd);
      const all = [from, ...others.map((place) => inFolder(place, host.cwd))];
      const { source } = await places.openForReading(atDigest(from, manifest));
      opened.defer(() => source.close());
      const origin = `${source.name}@${manifest}`;
      if (!reuseFrom.some((place) => isSamePlace(inFolder(place, host.cwd), from))) {
        for (const template of decisiveLines(destinations, image.name, tags)) {
          const other = inFolder(locationOf(template, image.name), host.cwd);
          if (!all.some((place) => isSamePlace(other, place))) await checkHasToo(other, manifest, origin, places);
        }
      }
      return [{ kind: 'published', name: image.name, tag: image.tag, system, systems, origin, manifest, key, source }];
    }),
  );
  const missing = needed.filter(({ system }) => !handed.some((part) => part.system === system));
  return { parts: [...handed, ...published.flat()], missing };
}

/**
 * All that an image of the plan is made of, in the order of `SYSTEMS`: images that are built together wait for each other system by system. Throws UserError
 * `platforms` where a build job has left nothing.
 */
export function allParts(
  image: PlannedImage,
  parts: readonly PlatformInput[],
  plan: Plan,
  { allowMissing, host }: Pick<PlanInputs, 'allowMissing'> & { readonly host: Pick<Host, 'kind'> },
): PlatformInput[] {
  const systems = SYSTEMS.filter((system) => image.jobs.some((job) => job.system === system));
  if (!allowMissing) checkExpired(parts, systems, plan, host);
  checkPlatforms(parts, systems, allowMissing);
  return systems.flatMap((system) => parts.filter((part) => part.system === system));
}

/**
 * What is published at the plan's destination is believed there; another destination must have it already. Throws UserError
 * `handover`.
 */
async function checkHasToo(other: Location, manifest: Digest, origin: string, places: Places): Promise<void> {
  if (other.kind === 'registry') {
    const { source } = await places.openForReading(atDigest(other, manifest));
    if (await source.getManifest(manifest)) return;
  }
  throw new UserError('handover', `${origin} is published, but not yet at ${formatLocation(other)}`, {
    hint: 'Name it with `reuse-from` to copy it from there, or plan with `force`, so that it is built for both.',
  });
}

/** Where the plan has seen what is published; every one of them has it. */
function placesAt(planned: readonly DestinationLine[], name: string): [Location, ...Location[]] {
  const [first, ...others] = planned.map((template) => locationOf(template, name));
  if (first) return [first, ...others];
  throw new UserError('input', `the plan says that ${name} is published, but not where`, {
    hint: 'Give the output of `nix-images plan` as it is.',
  });
}

/** A build job that evaluated something else than the plan did must not pass for it. Throws UserError `handover`. */
function checkKey(part: PlatformInput, jobs: readonly PlannedJob[]): void {
  if (part.kind !== 'handover') return;
  const { annotations } = parseImageManifest(part.handover.manifest, part.origin);
  const planned = jobs.find(({ system }) => system === part.system)?.key;
  if (annotatedKey({ annotations }) === planned) return;
  throw new UserError('handover', `${part.origin} holds another image than was planned for ${part.system}`, {
    hint: 'Build with the same commit and the same arguments for Nix as were planned with.',
  });
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * Throws UserError `handover` where build jobs left nothing that is still there, and the run is so old that this would be no
 * wonder: GitHub's "re-run failed jobs" runs no build job that succeeded, so it would end here for ever.
 */
function checkExpired(
  parts: readonly PlatformInput[],
  systems: readonly System[],
  { plannedAt }: Plan,
  { kind }: Pick<Host, 'kind'>,
): void {
  const missing = systems.filter((system) => !parts.some((part) => part.system === system));
  const days = plannedAt === null ? 0 : Math.floor((systemClock.now() - Date.parse(plannedAt)) / DAY_MS);
  if (kind === 'terminal' || missing.length === 0 || days < 1) return;
  const age = days === 1 ? 'a day' : `${days} days`;
  throw new UserError(
    'handover',
    `no image for ${missing.join(' and ')}: what its build job handed over has expired (planned ${age} ago)`,
    {
      hint:
        'Choose "Re-run all jobs": "Re-run failed jobs" does not build again what was built well. Handovers are kept as ' +
        'long as the input retention-days of build says.',
      docs: 'workflow-run.md#what-can-get-lost-between-jobs',
    },
  );
}
