import type { Answered } from '../core/asked-together.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import type { RoundMember } from '../image/build-round.ts';
import { withGcRoots } from '../nix/gc-roots.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isContainer, type LeftOut, type Plan, type PlannedImage } from '../plan/plan.ts';
import { brokenImages, byReason, isWarning } from '../plan/problems.ts';
import { parseToLine, type ToLine } from '../publish/destination-line.ts';
import type { PlatformInput } from '../publish/platform-input.ts';
import { locationOf } from '../storage/location-template.ts';
import { checkDestinations } from './check-destinations.ts';
import type { CollectHandovers } from './collecting.ts';
import { type Members, openRounds, partsTogether } from './planned-parts.ts';
import { allParts, type Finding, findParts, type PlanInputs } from './platform-inputs.ts';
import type { ImageOutcome, PublishResult } from './present-publish.ts';
import { type Attempt, publishForms } from './publish-forms.ts';
import { completed, type Publishing } from './publish-image.ts';

const NO_MEMBERS: Members = new Map();

/** Images at once, at registries: each is a few requests mostly. Files are written one image after another. */
const AT_ONCE = 4;

/**
 * Publishes every image of a plan: the handovers of the build jobs that were needed, and what is published already of the
 * rest. Images do not depend on each other: where one fails, the others are published, and the failure is told at the end.
 */
export async function publishPlan(
  plan: Plan,
  inputs: PlanInputs,
  collect: CollectHandovers,
  publishing: Publishing,
): Promise<PublishResult> {
  const { host } = publishing;
  const images = chosenImages(plan, inputs).filter(({ name }) => {
    const applies = publishing.tags.applies(name);
    if (!applies) host.log.info(`${name} is not published: no rule of tags applies to it`);
    return applies;
  });
  if (images.length === 0)
    return { kind: 'nothing', why: 'Nothing is published: no rule of `tags` applies to any image.' };
  const to = inputs.to.length > 0 ? inputs.to : plan.to.map(parseToLine);
  checkDestinations(to, images);
  const isAsked = ({ attr }: LeftOut): boolean => mayBe(attr, inputs);
  const looksBroken = inputs.allowBroken ? [] : brokenImages(plan).filter(isAsked);
  const leftOut = plan.leftOut.filter((item) => isWarning(item) && isAsked(item) && !looksBroken.includes(item));
  for (const { attrs, why } of byReason(leftOut)) host.log.warn(`the plan left out ${attrs}: ${why}`);
  // Destinations that may fail read from them to the end.
  await using opened = new AsyncDisposableStack();
  const finding = { ...publishing, collect, opened };
  const published = inputs.buildMissing
    ? await withGcRoots(
        (gcRootDir) => publishAll(images, { plan, inputs, finding, to, gcRootDir }),
        await host.tempDir(),
      )
    : await publishAll(images, { plan, inputs, finding, to });
  // Neither destinations that may fail nor tags that are watched for a while hold up another image.
  const outcomes = await settledOutcomes(published, publishing);
  const unplanned =
    inputs.image === undefined ? plan.problems : plan.problems.filter(({ name }) => name === inputs.image);
  const problems = unplanned.map(
    ({ name, why, hint }): ImageOutcome => ({ name, error: new UserError('definition', why, { hint }) }),
  );
  const broken = byReason(looksBroken).map(brokenOutcome);
  return { kind: 'plan', outcomes: [...outcomes, ...problems, ...broken], leftOut };
}

interface PublishingPlan {
  readonly plan: Plan;
  readonly inputs: PlanInputs;
  readonly finding: Finding;
  readonly to: readonly ToLine[];
  /** Folder for links that keep what is built; undefined where nothing is. */
  readonly gcRootDir?: string;
}

/** Publishes all images; those that are built here are built together, and go to their destinations when they are made. */
async function publishAll(
  images: readonly PlannedImage[],
  { plan, inputs, finding, to, gcRootDir }: PublishingPlan,
): Promise<readonly Attempt[]> {
  const { host, nix } = finding;
  const whole = gcRootDir === undefined ? undefined : await partsTogether(images, plan, inputs, finding);
  const partsOf = async (image: PlannedImage): Promise<readonly PlatformInput[]> => {
    const known = whole?.get(image);
    if (known === undefined)
      return allParts(image, (await findParts(image, plan, inputs, finding)).parts, plan, { ...inputs, host });
    if ('error' in known) throw known.error;
    return known.answer;
  };
  const all = [...(whole?.values() ?? [])].flatMap((one) => ('answer' in one ? [one.answer] : []));
  const members =
    gcRootDir === undefined || all.flat().every(({ kind }) => kind !== 'job')
      ? NO_MEMBERS
      : openRounds(all, {
          ...{ nix: await nix(), gcRootDir },
          building: (work) => host.log.group('Realising what the images are made of', work),
        });
  const areRegistries =
    to.length > 0 && to.every((line) => line.form !== 'files' && locationOf(line, 'name').kind === 'registry');
  // What is built by itself keeps all cores busy.
  const isBuiltAlone = all.flat().some((part) => part.kind === 'job' && !members.has(part));
  const publish = async (image: PlannedImage): Promise<readonly Attempt[]> => {
    try {
      const isDisk = image.jobs.some((job) => !isContainer(job));
      return await publishForms({ ...image, isDisk }, await partsOf(image), to, { ...finding, members });
    } catch (error) {
      if (!(error instanceof UserError) || host.signal.aborted) throw error;
      if (images.length > 1) host.log.warn(`${image.name} is not published: ${error.message}`);
      return [{ name: image.name, error }];
    } finally {
      for (const member of ownMembers(whole?.get(image), members)) member.leave();
    }
  };
  const isTogether = (image: PlannedImage): boolean => ownMembers(whole?.get(image), members).length > 0;
  const groups = [
    { chosen: images.filter(isTogether), atOnce: images.length },
    { chosen: images.filter((image) => !isTogether(image)), atOnce: areRegistries && !isBuiltAlone ? AT_ONCE : 1 },
  ];
  const attempts = new Map<PlannedImage, readonly Attempt[]>();
  for (const { chosen, atOnce } of groups)
    await mapParallel(chosen, atOnce, async (image) => void attempts.set(image, await publish(image)));
  return images.flatMap((image) => attempts.get(image) ?? []);
}

/** The places among others that an image has. */
const ownMembers = (parts: Answered<readonly PlatformInput[]> | undefined, members: Members): RoundMember[] =>
  parts && 'answer' in parts ? parts.answer.flatMap((part) => members.get(part) ?? []) : [];

/** What came of the attempts when all that is watched has settled, and the places of files are ended. */
export async function settledOutcomes(
  attempts: readonly Attempt[],
  publishing: Publishing,
): Promise<readonly ImageOutcome[]> {
  const { host, files } = publishing;
  const outcomes = await mapParallel(attempts, AT_ONCE, async (one): Promise<ImageOutcome> => {
    if (!('rest' in one)) return one;
    try {
      return { image: await completed(one, publishing) };
    } catch (error) {
      if (!(error instanceof UserError) || host.signal.aborted) throw error;
      return { name: one.image.name, error };
    }
  });
  return [...outcomes, ...(await files.closeAll(outcomes.every((one) => !('error' in one))))];
}

/** An image that does not evaluate: what is published of it goes stale, and nobody would see it. */
const brokenOutcome = ({ attrs, why }: { readonly attrs: string; readonly why: string }): ImageOutcome => ({
  name: attrs,
  error: new UserError('evaluation', why, {
    hint: "Fix it, leave it out (images: '!NAME'), or allow it with allow-broken.",
  }),
});

/** Whether an attribute that was left out could be an image that the inputs ask for: its name is not known. */
function mayBe(attr: string, { image, system }: Pick<PlanInputs, 'image' | 'system'>): boolean {
  const parts = attr.split('.');
  const isOther = system.length > 0 && SYSTEMS.some((each) => !system.includes(each) && parts.includes(each));
  return !isOther && (image === undefined || parts.at(-1) === image.split('/').at(-1));
}

/** The images and disks of a plan, as far as the inputs ask for them. */
function chosenImages(plan: Plan, { image, system }: PlanInputs): PlannedImage[] {
  const isAsked = (one: { readonly system: System }): boolean => system.length === 0 || system.includes(one.system);
  const images = plan.images
    .filter(({ name }) => image === undefined || image === name)
    .map((planned) => ({ ...planned, jobs: planned.jobs.filter(isAsked), missing: planned.missing.filter(isAsked) }))
    .filter(({ jobs }) => jobs.length > 0);
  if (images.length > 0) return images;
  throw new UserError(
    'platforms',
    `the plan has no image to publish${image === undefined ? '' : ` of the name ${image}`}`,
    {
      hint: `It has ${plan.images.map(({ name }) => name).join(', ') || 'no image at all'}.`,
    },
  );
}
