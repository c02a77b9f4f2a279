import type { Digest } from '../image/digest.ts';
import { annotatedKey } from '../image/image-key.ts';
import { manifestSchema } from '../image/manifest.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { parseJson } from '../io/json.ts';
import { plainMarkdown } from '../io/markdown.ts';
import { mapParallel } from '../io/parallel.ts';
import { fileInstallable, type Installable, installableText, parseInstallable } from '../nix/installable.ts';
import { isContainer, isNeeded, type LeftOut, type Plan, type PlannedImage, type PlannedJob } from '../plan/plan.ts';
import { isWarning, lostSystems } from '../plan/problems.ts';
import { jobParts, type Part } from '../publish/part.ts';
import { checkPlatforms } from '../publish/platforms.ts';
import { heldOf, references } from '../publish/report.ts';
import { type Destination, formatDestination } from '../registry/destination.ts';
import { type DestinationTemplate, destinationOf, parseDestinationTemplate } from '../registry/destination-template.ts';
import type { CollectHandovers } from './collecting.ts';
import { isSamePlace } from './handover-trust.ts';
import { checkTemplate } from './naming.ts';
import { inFolder, type Places } from './places.ts';
import { type PublishedImage, type Publishing, publishedNothing, publishImage, resultOf } from './publish-image.ts';

interface PlanInputs {
  readonly image: string | undefined;
  readonly to: readonly DestinationTemplate[];
  readonly system: readonly System[];
  readonly allowMissing: boolean;
  readonly buildMissing: boolean;
}

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
    if (!applies) host.log.info(`${name} is not published: no rule of tag applies to it`);
    return applies;
  });
  if (images.length === 0) return publishedNothing('Nothing is published: no rule of `tag` applies to any image.');
  const planned = plan.to === null ? undefined : parseDestinationTemplate(plan.to);
  const to = inputs.to.length > 0 ? inputs.to : planned ? [planned] : [];
  for (const template of to)
    checkTemplate(
      template,
      images.map(({ name }) => name),
    );
  const areRegistries = to.every((template) => destinationOf(template, 'name').kind === 'registry');
  // A build keeps all cores busy by itself.
  const atOnce = areRegistries && !inputs.buildMissing ? AT_ONCE : 1;
  const warnings = plan.leftOut.filter(isWarning);
  for (const { attr, why } of warnings) host.log.warn(`the plan left out ${attr}: ${why}`);
  const outcomes = await mapParallel(images, to.length > 0 ? atOnce : 1, async (image): Promise<Outcome> => {
    try {
      const parts = await partsOf(image, plan, inputs, collect, publishing);
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

/**
 * What an image of the plan is made of: published, handed over or, where that is asked for, to be built here. Throws
 * UserError `platforms` where a build job has left nothing.
 */
async function partsOf(
  image: PlannedImage,
  { to, source }: Plan,
  { allowMissing, buildMissing, to: destinations }: PlanInputs,
  collect: CollectHandovers,
  { places, host, nix, reuseFrom }: Publishing,
): Promise<Part[]> {
  const lost = lostSystems(image);
  if (lost && !allowMissing) throw lost;
  const planned = to === null ? undefined : parseDestinationTemplate(to);
  const needed = image.jobs.filter(isNeeded);
  const layerPlaces = (name: string): Destination[] => [
    ...(planned ? [destinationOf(planned, name)] : []),
    ...destinations.map((template) => destinationOf(template, name)),
    ...reuseFrom,
  ];
  const wanted = { image: image.name, system: needed.map(({ system }) => system), places: layerPlaces };
  const handed = needed.length > 0 ? await collect(wanted, true) : [];
  for (const part of handed) checkKey(part, needed);
  const systems = image.jobs.map(({ system }) => system);
  const published = await Promise.all(
    image.jobs.map(async ({ system, key, published: manifest }): Promise<Part[]> => {
      if (manifest === null) return [];
      const from = inFolder(destinationAt(planned, image.name), host.cwd);
      const { repository } = await places.openForReading(atDigest(from, manifest));
      const origin = `${repository.name}@${manifest}`;
      if (!reuseFrom.some((place) => isSamePlace(inFolder(place, host.cwd), from))) {
        for (const template of destinations) {
          const other = inFolder(destinationOf(template, image.name), host.cwd);
          if (!isSamePlace(other, from)) await checkHasToo(other, manifest, origin, places);
        }
      }
      return [
        { kind: 'published', name: image.name, tag: image.tag, system, systems, origin, manifest, key, repository },
      ];
    }),
  );
  const parts = [...handed, ...published.flat()];
  if (buildMissing) {
    const lacking = needed.filter(({ system }) => !handed.some((part) => part.system === system));
    for (const { installable, systems: open } of jobsTogether(source, lacking)) {
      const wanted = { systems: open, handed: new Set<System>(), allowMissing };
      parts.push(...(await jobParts(await nix(), installable, wanted)));
    }
  }
  checkPlatforms(parts, systems, allowMissing);
  return systems.flatMap((system) => parts.filter((part) => part.system === system));
}

/**
 * What is published at the plan's destination is believed there; another destination must have it already. Throws UserError
 * `handover`.
 */
async function checkHasToo(other: Destination, manifest: Digest, origin: string, places: Places): Promise<void> {
  if (other.kind === 'registry') {
    const { repository } = await places.openForReading(atDigest(other, manifest));
    if (await repository.getManifest(manifest)) return;
  }
  throw new UserError('handover', `${origin} is published, but not yet at ${formatDestination(other)}`, {
    hint: 'Name it with `reuse-from` to copy it from there, or plan with `force`, so that it is built for both.',
  });
}

/** As a build job would be told. */
const installableOf = ({ flake, file }: Plan['source'], attr: string): Installable =>
  file === null ? parseInstallable(`${flake}#${attr}`) : fileInstallable(file, attr || undefined);

/** Jobs that differ in their system alone are evaluated together. */
function jobsTogether(source: Plan['source'], jobs: readonly PlannedJob[]) {
  const groups = new Map<string, { installable: Installable; systems: System[] }>();
  for (const { attr, system } of jobs) {
    const installable = installableOf(source, attr);
    // A cross-compiled image stands under another system than its own.
    const isNative = installable.kind === 'flake' && installable.system === system;
    const open = isNative ? { ...installable, system: undefined } : installable;
    const key = installableText(open);
    const group = groups.get(key);
    if (group) group.systems.push(system);
    else groups.set(key, { installable: open, systems: [system] });
  }
  return groups.values();
}

const destinationAt = (planned: DestinationTemplate | undefined, name: string): Destination => {
  if (planned) return destinationOf(planned, name);
  throw new UserError('input', `the plan says that ${name} is published, but not where`, {
    hint: 'Give the output of `nix-images plan` as it is.',
  });
};

const atDigest = (destination: Destination, digest: PlannedJob['published']): Destination => {
  if (destination.kind === 'registry' && digest !== null) {
    const { host, repository } = destination.reference;
    return { kind: 'registry', reference: { host, repository, digest } };
  }
  // Any tag will do to open a layout: the manifest is asked for by its digest.
  return destination.kind === 'oci' ? { ...destination, tag: destination.tag ?? 'latest' } : destination;
};

/** A build job that evaluated something else than the plan did must not pass for it. Throws UserError `handover`. */
function checkKey(part: Part, jobs: readonly PlannedJob[]): void {
  if (part.kind !== 'handover') return;
  const { annotations } = parseJson(part.handover.manifest.bytes, manifestSchema, part.origin);
  const planned = jobs.find(({ system }) => system === part.system)?.key;
  if (annotatedKey({ annotations }) === planned) return;
  throw new UserError('handover', `${part.origin} holds another image than was planned for ${part.system}`, {
    hint: 'Build with the same commit and the same arguments for Nix as were planned with.',
  });
}

function joined(outcomes: readonly Outcome[], leftOut: readonly LeftOut[]) {
  const images = outcomes.flatMap((outcome) => ('image' in outcome ? [outcome.image] : []));
  const failed = outcomes.flatMap((outcome) => ('image' in outcome ? [] : [outcome]));
  const results = images.map(resultOf);
  const [sole] = outcomes.length === 1 ? results : [];
  const digests = Object.fromEntries(
    images.map(({ name, published, targets }) => [name, heldOf(published, targets).digest]),
  );
  const list = lines(failed.map(({ name, error }) => [name, error.message]));
  return {
    outputs: {
      digest: sole?.outputs.digest ?? '',
      digests: JSON.stringify(digests),
      references: images.flatMap(({ targets }) => references(targets)).join('\n'),
    },
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
