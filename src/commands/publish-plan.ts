import { UserError } from '../core/error.ts';
import { plainMarkdown } from '../core/markdown.ts';
import { mapParallel } from '../core/parallel.ts';
import type { System } from '../oci/system.ts';
import { isContainer, type LeftOut, type Plan, type PlannedImage, type PlannedJob } from '../plan/plan.ts';
import { isWarning } from '../plan/problems.ts';
import { locationOf, parseLocationTemplate } from '../storage/location-template.ts';
import type { CollectHandovers } from './collecting.ts';
import { checkTemplate } from './naming.ts';
import { type PlanInputs, platformInputsOf } from './platform-inputs.ts';
import {
  outputsOf,
  type PublishedImage,
  type Publishing,
  publishedNothing,
  publishImage,
  resultOf,
} from './publish-image.ts';

/** Images at once, at registries: each is a few requests mostly. Files are written one image after another. */
const AT_ONCE = 4;

/**
 * Publishes every image of a plan: the handovers of the build jobs that were needed, and what is published already of the
 * rest. Images do not depend on each other: where one fails, the others are published, and the failure is told at the end.
 */
export async function publishPlan(plan: Plan, inputs: PlanInputs, collect: CollectHandovers, publishing: Publishing) {
  const { host } = publishing;
  const images = chosenImages(plan, inputs).filter(({ name }) => {
    const applies = publishing.tags?.of(name).length !== 0;
    if (!applies) host.log.info(`${name} is not published: no rule of tags applies to it`);
    return applies;
  });
  if (images.length === 0) return publishedNothing('Nothing is published: no rule of `tags` applies to any image.');
  const to = inputs.to.length > 0 ? inputs.to : plan.to.map(parseLocationTemplate);
  for (const template of to)
    checkTemplate(
      template,
      images.map(({ name }) => name),
    );
  const areRegistries = to.every((template) => locationOf(template, 'name').kind === 'registry');
  // A build keeps all cores busy by itself.
  const atOnce = areRegistries && !inputs.buildMissing ? AT_ONCE : 1;
  const warnings = plan.leftOut.filter(isWarning);
  for (const { attr, why } of warnings) host.log.warn(`the plan left out ${attr}: ${why}`);
  const outcomes = await mapParallel(images, to.length > 0 ? atOnce : 1, async (image): Promise<Outcome> => {
    try {
      const parts = await platformInputsOf(image, plan, inputs, { ...publishing, collect });
      return { image: await publishImage(image, parts, to, publishing) };
    } catch (error) {
      if (!(error instanceof UserError) || host.signal.aborted) throw error;
      if (images.length > 1) host.log.warn(`${image.name} is not published: ${error.message}`);
      return { name: image.name, error };
    }
  });
  const unplanned =
    inputs.image === undefined ? plan.problems : plan.problems.filter(({ name }) => name === inputs.image);
  const problems = unplanned.map(
    ({ name, why, hint }): Outcome => ({ name, error: new UserError('definition', why, { hint }) }),
  );
  return joined([...outcomes, ...problems], warnings);
}

type Outcome = { readonly image: PublishedImage } | { readonly name: string; readonly error: UserError };

/** The containers of a plan, as far as the inputs ask for them. */
function chosenImages(plan: Plan, { image, system }: PlanInputs): PlannedImage[] {
  const isAsked = (one: { readonly system: System }): boolean => system.length === 0 || system.includes(one.system);
  const wanted = (job: PlannedJob): boolean => isContainer(job) && isAsked(job);
  const images = plan.images
    .filter(({ name }) => image === undefined || image === name)
    .map((planned) => ({ ...planned, jobs: planned.jobs.filter(wanted), missing: planned.missing.filter(isAsked) }))
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

function joined(outcomes: readonly Outcome[], leftOut: readonly LeftOut[]) {
  const images = outcomes.flatMap((outcome) => ('image' in outcome ? [outcome.image] : []));
  const failed = outcomes.flatMap((outcome) => ('image' in outcome ? [] : [outcome]));
  const results = images.map(resultOf);
  const list = lines(failed.map(({ name, error }) => [name, error.message]));
  return {
    outputs: outputsOf(images, outcomes.length === 1 ? images[0] : undefined),
    data: {
      schemaVersion: 1,
      images: results.map(({ data }) => data),
      failed: failed.map(({ name, error }) => ({ name, code: error.code, message: error.message })),
      leftOut: leftOut.map(({ attr, why }) => ({ attr, why })),
    },
    text: results.map(({ text }, at) => `${images[at]?.name}\n${text}`).join('\n\n'),
    summary: [
      ...results.map(({ summary }) => summary),
      ...(failed.length > 0 ? [`### Not published\n\n${list}`] : []),
      ...(leftOut.length > 0
        ? [`### Left out of the plan\n\n${lines(leftOut.map(({ attr, why }) => [attr, why]))}`]
        : []),
    ].join('\n'),
    ...(failed.length > 0 ? { failure: failureOf(failed, outcomes.length) } : {}),
  };
}

const lines = (items: readonly (readonly [string, string])[]): string =>
  items.map(([what, why]) => `- ${plainMarkdown(what)}: ${plainMarkdown(why)}\n`).join('');

function failureOf(failed: readonly { readonly name: string; readonly error: UserError }[], all: number): UserError {
  const [first] = failed;
  if (first && all === 1) return first.error;
  const list = failed.map(({ name, error }) => `\n  ${name}: ${error.message}`).join('');
  const hints = [...new Set(failed.flatMap(({ error }) => (error.hint === undefined ? [] : [error.hint])))];
  return new UserError('platforms', `${failed.length} of ${all} images are not published:${list}`, {
    hint: hints.slice(0, 3).join('\n') || 'See the log.',
  });
}
