import type { Json } from '../core/canonical-json.ts';
import { callOf } from '../handover/call.ts';
import { defineCommand } from '../host/command.ts';
import { choice, flag, integer, lines, path, text } from '../host/fields.ts';
import { parseTag } from '../oci/reference.ts';
import { parseBatch } from '../plan/batches.ts';
import { filterSystems } from '../plan/filter.ts';
import { MOST_JOBS, matrixOf, tooLarge, tooLong } from '../plan/matrix.ts';
import { PLAN_VERSION, type Plan } from '../plan/plan.ts';
import { parseRunner, runnersOf } from '../plan/runners.ts';
import { MOST_AT_ONCE } from '../plan/shared-worth.ts';
import { imageLines, parseToLine, placesOfImages } from '../publish/destination-line.ts';
import { parseTagLine } from '../publish/tag-lines.ts';
import { batchedPlan } from './batched-plan.ts';
import { checkDestinations } from './check-destinations.ts';
import { jobOf } from './github.ts';
import { noteLowerCase } from './naming.ts';
import { tryIdentity } from './oidc.ts';
import { openNixFor } from './open-nix.ts';
import { placesOf } from './places.ts';
import { planOutput } from './plan-output.ts';
import { markAtAll, warnOfPartialPulls } from './plan-places.ts';
import { imagesOf, sourcesOf, warnOfBroken } from './plan-sources.ts';
import { type PlanResult, planOutputs, planProblems, presentPlan } from './present-plan.ts';
import { whyNoLogin, whyNotInRun } from './publish-reason.ts';
import { nixInputs, registryInputs, variantInputs } from './shared-inputs.ts';
import { NOTHING_SHARED, planShared } from './shared-work.ts';
import { runTags } from './tags.ts';

export const plan = defineCommand({
  name: 'plan',
  summary: 'Find every image of a flake and say which build jobs are needed.',
  description:
    'Evaluates once, for all systems, and builds no image, nor what an evaluation would import unless it may. With `to`, ' +
    'images that are published there with the same content need no build job. The output `matrix` is for ' +
    '`strategy.matrix`, the output `plan` for `publish`.',
  inputs: {
    flake: lines({ description: 'The flake. Default: `.`.', placeholder: 'FLAKE', positional: true }),
    to: lines({
      description:
        'Where the images will be published, as `publish` takes it, such as `ghcr.io/org/{name}`; `{name}` is the name of the ' +
        'image. Of several destinations, all but those with `may-fail` must have an image for it to need no build.',
      placeholder: 'DEST',
      parse: parseToLine,
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
      description:
        'Runner for a system, as `SYSTEM=LABEL`; default: `ubuntu-latest` and `ubuntu-24.04-arm`. Several labels are a JSON ' +
        'list (`aarch64-linux=["self-hosted","linux"]`), a group is `{"group":"big"}`; `SYSTEM=emulate` builds by emulation ' +
        'on the runner of the other system.',
      placeholder: 'SYSTEM=RUNNER',
      parse: parseRunner,
    }),
    tags: lines({
      description:
        'Tag, or rule for one, that `publish` will get: what is already under it needs no build. The own tag of an image ' +
        '(without this input) and `latest` count as well.',
      placeholder: 'TAG',
      flag: 'tag',
      short: 't',
      parse: parseTagLine,
    }),
    changedSince: lines({
      description: 'Tag at the destination whose images alone count as published, whatever `tags` say.',
      placeholder: 'TAG',
      parse: parseTag,
    }),
    allowMissing: flag({
      description: 'Plan an image although a system that it is published for is gone or does not evaluate.',
    }),
    allowBroken: flag({
      description:
        'Let a run succeed although what looks like an image does not evaluate: `publish` takes the same input.',
    }),
    force: flag({ description: 'Build every image, published or not.' }),
    sharedWork: choice(['never', 'auto', 'always'], {
      description:
        'Whether what several build jobs would build each for itself is built first, by a job of its own from which the others take it: `auto` where that saves ' +
        'enough. Asks the substituters of Nix about all that the jobs need.',
      default: 'never',
    }),
    maxJobs: integer({
      description:
        'Build jobs at most. Where more images are to be built, those that share most go into one job, which makes once what they share. By default as many as GitHub runs at a time on its free plan.',
      default: MOST_AT_ONCE,
      min: 1,
      max: MOST_JOBS,
    }),
    batch: text({
      description:
        'How many images a build job builds: `auto`, one as long as there are no more than `max-jobs`; `none`, always one; or a number, such as `4`. A disk has a job of its own.',
      default: 'auto',
      placeholder: 'BATCH',
      parse: parseBatch,
    }),
    maxParallel: integer({
      description: 'Build jobs that run at a time; `shared-work` is weighed by it.',
      default: 256,
      min: 1,
    }),
    cache: path({
      description:
        "Cache that says how long builds took, for `shared-work`: a folder, or a repository as `docker://HOST/NAME` or `oci:DIR`. In a job it is GitHub's.",
      placeholder: 'CACHE',
      faces: 'cli',
    }),
    ...variantInputs,
    ...nixInputs,
    ...registryInputs,
  },
  outputs: {
    matrix:
      'Build jobs that are needed, as JSON for `strategy.matrix`: name, system, buildSystem, systems, runner, emulate, boot, diskSpace, file, call; and ' +
      'of each of its images, one per line: images (their names), kind, attr, installable, key.',
    jobs: 'The same jobs with only what identifies each, for the input `matrix` of `build-shared` and `cache-merge`: an input may have 128 KiB, and the output `matrix` of hundreds of images is longer.',
    any: 'Whether a build job is needed: `true` or `false`.',
    shared:
      'Jobs that build first what several build jobs need, as JSON for `strategy.matrix`: name, system, runner, emulate, images; see `shared-work`.',
    anyShared: 'Whether there is such a job: `true` or `false`.',
    images: 'All images as JSON: name, kind, systems, and why each was taken.',
    plan: 'The plan as `publish` takes it: JSON or, where it is large, a reference to an artifact of the run that holds it.',
    complete:
      'Whether every image can be planned: `true` or `false`. Where it is false, the others are built and published, and the run is to fail at its end.',
    publish: 'Whether this run is to publish: `true` or `false`, with the reason in the log.',
  },
  async run(inputs, host): Promise<PlanResult> {
    const { to, images: globs, attr, file, nixArg, allowMissing } = inputs;
    const sources = sourcesOf(inputs.flake, file, attr);
    runnersOf(inputs.runners);
    noteLowerCase(to, host.log);
    const systems = filterSystems(inputs.systems);
    const nix = await openNixFor(host, inputs);
    const options = { systems, variants: inputs.nixosVariants };
    const chosen = await imagesOf(sources, { ...options, globs }, nix, host);
    warnOfBroken(chosen, host);
    checkDestinations(to, chosen.images);
    const places = await placesOf(host, inputs);
    await tryIdentity(inputs, placesOfImages(to), places);
    const tags = await runTags(to, inputs.tags, host);
    const counted = { named: inputs.changedSince, moved: tags };
    const marked = await markAtAll(chosen.images, { to: imageLines(to), systems, force: inputs.force }, counted, {
      host,
      places,
    });
    warnOfPartialPulls(marked, chosen.recipes, imageLines(to), places);
    const planned: Plan = {
      schemaVersion: PLAN_VERSION,
      call: callOf({ sources, attr, file, globs, systems, nixArg, to: to.map(({ line }) => line) } as Record<
        string,
        Json
      >),
      plannedAt: host.kind === 'runner' ? new Date().toISOString() : null,
      to: to.map(({ line }) => line),
      images: allowMissing ? marked.map((image) => ({ ...image, missing: [] })) : [...marked],
      leftOut: [...chosen.leftOut],
      problems: [...chosen.problems],
    };
    const { sharedWork: when, runners, maxParallel } = inputs;
    const batches = await batchedPlan(planned, inputs, chosen.recipes);
    const query = { batches, recipes: chosen.recipes, runners, maxParallel };
    const shared = when === 'never' ? NOTHING_SHARED : await planShared({ ...query, when }, inputs, nix, host);
    for (const line of shared.lines) host.log.info(line);
    const include = matrixOf(batches, planned, inputs.runners);
    const large = tooLarge(planned, include);
    if (large && host.kind === 'runner') throw large;
    if (large) host.log.warn(`a workflow cannot take this plan whole: ${large.message}`);
    const job = await jobOf(host);
    const names = namesOf(planned.images);
    const why = whyNotInRun(job, tags, names) ?? (await whyNoLogin(job, { to: placesOfImages(to), names }, places));
    if (why !== undefined) host.log.info(`publish: false. ${why}`);
    const output = await planOutput(planned, job, host);
    const isStep = host.kind === 'runner';
    // What does not evaluate was told already, and a terminal shows the rest as the failure.
    if (isStep) for (const problem of planProblems({ planned, allowBroken: true })) host.log.warn(problem);
    const isPublished = why === undefined;
    const result = { planned, include, shared, output, isPublished, isStep, allowBroken: inputs.allowBroken };
    const long = isStep ? tooLong(planned, planOutputs(result)) : undefined;
    if (long) throw long;
    return result;
  },
  present: presentPlan,
});

const namesOf = (images: readonly { readonly name: string }[]): string[] => images.map(({ name }) => name);
