import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { isContainer, type LeftOut, type Plan, type PlannedImage } from '../plan/plan.ts';
import { brokenImages, byReason, isWarning } from '../plan/problems.ts';
import { parseToLine } from '../publish/destination-line.ts';
import { locationOf } from '../storage/location-template.ts';
import { checkDestinations } from './check-destinations.ts';
import type { CollectHandovers } from './collecting.ts';
import { type PlanInputs, platformInputsOf } from './platform-inputs.ts';
import type { ImageOutcome, PublishResult } from './present-publish.ts';
import { type Attempt, publishForms } from './publish-forms.ts';
import { completed, type Publishing } from './publish-image.ts';

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
  const areRegistries = to.every((line) => line.form !== 'files' && locationOf(line, 'name').kind === 'registry');
  // A build keeps all cores busy by itself.
  const atOnce = areRegistries && !inputs.buildMissing ? AT_ONCE : 1;
  const isAsked = ({ attr }: LeftOut): boolean => mayBe(attr, inputs);
  const looksBroken = inputs.allowBroken ? [] : brokenImages(plan).filter(isAsked);
  const leftOut = plan.leftOut.filter((item) => isWarning(item) && isAsked(item) && !looksBroken.includes(item));
  for (const { attrs, why } of byReason(leftOut)) host.log.warn(`the plan left out ${attrs}: ${why}`);
  // Destinations that may fail read from them to the end.
  await using opened = new AsyncDisposableStack();
  const published = await mapParallel(
    images,
    to.length > 0 ? atOnce : 1,
    async (image): Promise<readonly Attempt[]> => {
      try {
        const parts = await platformInputsOf(image, plan, inputs, { ...publishing, collect, opened });
        const isDisk = image.jobs.some((job) => !isContainer(job));
        return await publishForms({ ...image, isDisk }, parts, to, publishing);
      } catch (error) {
        if (!(error instanceof UserError) || host.signal.aborted) throw error;
        if (images.length > 1) host.log.warn(`${image.name} is not published: ${error.message}`);
        return [{ name: image.name, error }];
      }
    },
  );
  // Neither destinations that may fail nor tags that are watched for a while hold up another image.
  const outcomes = await settledOutcomes(published.flat(), publishing);
  const unplanned =
    inputs.image === undefined ? plan.problems : plan.problems.filter(({ name }) => name === inputs.image);
  const problems = unplanned.map(
    ({ name, why, hint }): ImageOutcome => ({ name, error: new UserError('definition', why, { hint }) }),
  );
  const broken = byReason(looksBroken).map(brokenOutcome);
  return { kind: 'plan', outcomes: [...outcomes, ...problems, ...broken], leftOut };
}

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
