import { defineCommand } from '../host/command.ts';
import { flag, lines, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { type Discovered, discover, type Source } from '../nix/discover.ts';
import { needsImport } from '../nix/failure.ts';
import { parseAttributePath } from '../nix/installable.ts';
import { listed } from '../nix/not-image.ts';
import { filterSystems } from '../plan/filter.ts';
import { chooseImages } from '../plan/images.ts';
import { type MatrixJob, matrixOf, parseRunner, tooLarge } from '../plan/matrix.ts';
import { noImages } from '../plan/nothing.ts';
import { isContainer, PLAN_VERSION, type Plan, type PlannedImage } from '../plan/plan.ts';
import { isWarning, problemsError } from '../plan/problems.ts';
import { markPublished, type PublishedPlaces } from '../plan/published.ts';
import { planSummary, planText, sourceText } from '../plan/report.ts';
import { parseTagLine } from '../publish/tag-lines.ts';
import { chooseTags } from '../publish/target.ts';
import type { Destination } from '../registry/destination.ts';
import { type DestinationTemplate, destinationOf, parseDestinationTemplate } from '../registry/destination-template.ts';
import { parseTag } from '../registry/reference.ts';
import { checkTemplate, noteLowerCase } from './naming.ts';
import { inFolder, type Places, placesOf } from './places.ts';
import { nixInputs, registryInputs } from './shared-inputs.ts';
import { type AskedTags, tagsOfRun } from './tags.ts';
import { nixOf } from './wiring.ts';

export const plan = defineCommand({
  name: 'plan',
  summary: 'Find every image of a flake and say which build jobs are needed.',
  description:
    'Evaluates once, for all systems, and builds no image, nor what an evaluation would import unless it may. With `to`, ' +
    'images that are published there with the same content need no build job. The output `matrix` is for ' +
    '`strategy.matrix`, the output `plan` for `publish`.',
  inputs: {
    flake: text({ description: 'The flake; `.` unless given.', placeholder: 'FLAKE', positional: true }),
    to: text({
      description:
        'Where the images will be published, such as `ghcr.io/org/{name}`; `{name}` is the name of the image.',
      placeholder: 'DEST',
      parse: parseDestinationTemplate,
    }),
    images: lines({
      description: 'Glob of names or attributes of images to plan, such as `web-*`; with `!` before it, to leave out.',
      placeholder: 'GLOB',
    }),
    systems: lines({
      description: 'Glob of systems to plan, such as `x86_64-*`; with `!` before it, to leave out.',
      placeholder: 'GLOB',
    }),
    runners: lines({
      description: 'Runner for a system, as `SYSTEM=LABEL`; `ubuntu-latest` and `ubuntu-24.04-arm` unless given.',
      placeholder: 'SYSTEM=LABEL',
      parse: parseRunner,
    }),
    tag: lines({
      description:
        'Tag, or rule for one, that `publish` will be given: what is under it now needs no build. The own tag of an image, ' +
        'unless given, and `latest` count as well.',
      placeholder: 'TAG',
      short: 't',
      parse: parseTagLine,
    }),
    changedSince: lines({
      description: 'Tag at the destination whose images alone count as published, whatever `tag` says.',
      placeholder: 'TAG',
      parse: parseTag,
    }),
    allowMissing: flag({
      description: 'Plan an image although a system that it is published for is gone or does not evaluate.',
    }),
    force: flag({ description: 'Build every image, published or not.' }),
    nixosVariants: lines({
      description:
        'Variant of `config.system.build.images` to list for every NixOS configuration, such as `amazon`; none unless given.',
      placeholder: 'VARIANT',
    }),
    ...nixInputs,
    ...registryInputs,
  },
  outputs: {
    matrix:
      'Build jobs that are needed, as JSON for `strategy.matrix`: name, system, buildSystem, runner, kind, attr, installable, key.',
    any: 'Whether a build job is needed: `true` or `false`.',
    images: 'All images as JSON: name, kind, systems, and why each was taken.',
    plan: 'The whole plan as JSON, for `publish`.',
  },
  async run(inputs, host) {
    const source = sourceOf(inputs.flake, inputs.file, inputs.attr);
    if (inputs.to) noteLowerCase([inputs.to], host.log);
    const systems = filterSystems(inputs.systems);
    const nix = await nixOf(host, inputs);
    const options = { systems, variants: inputs.nixosVariants };
    const found = await host.log.group(`Evaluate ${sourceText(source)}`, () => discover(nix, source, options));
    const planned = choose(found, source, systems, inputs.images);
    warnOfBroken(planned, host);
    const { to, force, changedSince } = inputs;
    if (to) checkTemplate(to, containerNames(planned.images));
    const places = await placesOf(host, inputs);
    const tags = { named: changedSince, moved: await tagsOfRun(inputs.tag, host) };
    const marked = to
      ? await markPublished(
          planned.images,
          (image) => publishedPlaces(image, to, tags, host, places),
          { systems, reuse: !force },
          host.log,
        )
      : planned.images;
    const images = inputs.allowMissing ? marked.map((image) => ({ ...image, missing: [] })) : [...marked];
    const whole = { ...planned, to: to?.text ?? null, images };
    const include = matrixOf(whole, inputs.runners);
    const large = tooLarge(whole, include);
    if (large && host.kind === 'runner') throw large;
    if (large) host.log.warn(`a workflow cannot take this plan whole: ${large.message}`);
    return result(whole, include);
  },
});

function sourceOf(flake: string | undefined, file: string | undefined, attr: string | undefined): Source {
  if (file !== undefined) {
    if (flake === undefined) return { kind: 'file', file, path: parseAttributePath(attr ?? '') };
    throw new UserError('input', `both ${flake} and --file ${file} are given`, {
      hint: 'Name a flake or a file, not both.',
    });
  }
  if (attr !== undefined) {
    throw new UserError('input', '--attr is given without --file', {
      hint: 'A flake is searched as a whole; choose with images: NAME.',
    });
  }
  if (flake?.includes('#') || flake?.startsWith('-')) {
    throw new UserError('input', `${JSON.stringify(flake)} is no flake`, {
      hint: 'Name the flake alone, for instance . or github:org/repo; choose images with images: NAME.',
    });
  }
  return { kind: 'flake', flake: flake ?? '.' };
}

function choose(
  found: readonly Discovered[],
  source: Source,
  systems: readonly System[],
  globs: readonly string[],
): Omit<Plan, 'to'> {
  const { images, leftOut, problems } = chooseImages(found, { images: globs, systems, isFile: source.kind === 'file' });
  if (images.length === 0) throw problemsError(problems) ?? noImages(sourceText(source), leftOut, globs);
  return {
    schemaVersion: PLAN_VERSION,
    source: source.kind === 'flake' ? { flake: source.flake, file: null } : { flake: null, file: source.file },
    images: [...images],
    leftOut: [...leftOut],
    problems: [...problems],
  };
}

/** Packages fail to evaluate for many a reason that concerns no image; of what looks like one it is news. */
function warnOfBroken({ leftOut }: Pick<Plan, 'leftOut'>, { log }: Host): void {
  for (const item of leftOut) {
    const write = isWarning(item) ? log.warn : log.debug;
    write(`left out: ${item.attr}: ${item.why}`);
  }
  const imports = leftOut.filter((item) => item.broken && !isWarning(item) && needsImport(item.why));
  if (imports.length === 0) return;
  log.warn(
    `left out: ${listed(imports.map(({ attr }) => attr))}: cannot be looked at without building what they import; ` +
      'should images be among them, allow-import-from-derivation shows',
  );
}

const containerNames = (images: readonly PlannedImage[]): string[] =>
  images.filter(({ jobs }) => jobs.some(isContainer)).map(({ name }) => name);

/** What clients pull when they are told nothing: most likely what a branch or release began with. */
const USUAL_TAG = 'latest';

/** The tags whose images count: those that were named, or those that a publish would move, then the image's own and the usual one. */
function publishedPlaces(
  { name, tag }: PlannedImage,
  to: DestinationTemplate,
  { named, moved }: { readonly named: readonly string[]; readonly moved: AskedTags | undefined },
  { cwd }: Host,
  places: Places,
): PublishedPlaces {
  const destination = inFolder(destinationOf(to, name), cwd);
  const toMove = chooseTags(destination, moved?.of(name) ?? [], tag);
  const usual = [...toMove, ...(tag === null ? [] : [tag]), USUAL_TAG];
  const references = named.length > 0 ? named : [...new Set(usual)];
  return {
    references,
    moved: toMove,
    open: (reference) => places.openForReading(withTag(destination, reference)),
  };
}

/** The same place under another tag; an archive for docker names its image in another way, and is never read. */
function withTag(destination: Destination, tag: string): Destination {
  if (destination.kind === 'registry') {
    const { host, repository } = destination.reference;
    return { kind: 'registry', reference: { host, repository, tag } };
  }
  return destination.kind === 'docker-archive' ? destination : { ...destination, tag };
}

function result(planned: Plan, include: readonly MatrixJob[]) {
  const failure = problemsError(planned.problems, planned.to === null ? [] : planned.images);
  const images = planned.images.map(({ name, why, jobs }) => ({
    name,
    kind: jobs[0]?.kind,
    systems: jobs.map(({ system }) => system),
    why,
  }));
  return {
    outputs: {
      matrix: JSON.stringify({ include }),
      any: String(include.length > 0),
      images: JSON.stringify(images),
      plan: JSON.stringify(planned),
    },
    data: planned,
    text: planText(planned),
    summary: planSummary(planned),
    ...(failure === undefined ? {} : { failure }),
  };
}
