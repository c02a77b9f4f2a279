import { UserError } from '../core/error.ts';
import { onFirstUse } from '../core/on-first-use.ts';
import { OnceEach } from '../core/once-each.ts';
import { defineCommand } from '../host/command.ts';
import { choice, choices, flag, lines, secret, text } from '../host/fields.ts';
import type { Installable } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { imageLines, parseToLine, placesOfImages } from '../publish/destination-line.ts';
import { OptionalTargets } from '../publish/optional-targets.ts';
import { buildInputs, isDiskPart, type PlatformInput, soleImage } from '../publish/platform-input.ts';
import { checkPlatforms } from '../publish/platforms.ts';
import { FAILED_DESTINATIONS } from '../publish/report.ts';
import { parseTagLine } from '../publish/tag-lines.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { closedPull } from './closed-pull.ts';
import { handoverCollector } from './collecting.ts';
import { filesPlaces } from './files-places.ts';
import { jobOf } from './github.ts';
import { HANDOVERS, parseHandoverDigest } from './handover-trust.ts';
import { testInputs } from './image-tests.ts';
import { installables } from './installables.ts';
import { noteLowerCase } from './naming.ts';
import { openNixFor } from './open-nix.ts';
import { placesOf } from './places.ts';
import { givenPlan, NO_PLAN, readPlan } from './plan-input.ts';
import { type ImageOutcome, type PublishResult, presentPublish, shortOutputs } from './present-publish.ts';
import { publishForms } from './publish-forms.ts';
import type { Publishing } from './publish-image.ts';
import { publishPlan, settledOutcomes } from './publish-plan.ts';
import { NO_RULE, whyNoLogin, whyNotInRun } from './publish-reason.ts';
import { repositoryInputs } from './repositories.ts';
import { nixInputs, registryInputs, reuseInputs, timingsInput } from './shared-inputs.ts';
import { runTags } from './tags.ts';

export const publish = defineCommand({
  name: 'publish',
  summary: 'Publish an image, or all of a plan, for all systems as one multi-arch index each.',
  description:
    'Takes what build jobs handed over, builds what they did not, checks that every system has its image, writes the ' +
    'index to every destination, reads it back, and only then moves the tags.',
  inputs: {
    installable: lines({
      description: 'The image, as `FLAKE#NAME`; what is not handed over of it is built here.',
      placeholder: 'INSTALLABLE',
      positional: true,
    }),
    from: lines({
      description: 'Folder of a handover, or one that holds several. Default in a workflow: the artifacts of the run.',
      placeholder: 'DIR',
    }),
    image: text({
      description: 'Name of the image to publish, where the run has handovers of several.',
      placeholder: 'NAME',
      faces: 'action',
    }),
    plan: text({
      description:
        'What `plan` printed as its output `plan`, or `@FILE` that holds it: every image of it is published, those that ' +
        'need no build job from what is published already. In a workflow an empty text is an error: the plan was lost.',
      placeholder: 'PLAN',
      actionDefault: NO_PLAN,
    }),
    to: lines({
      description:
        'Destination: `docker://REFERENCE` or a plain reference, `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, ' +
        '`docker-archive:FILE[:REFERENCE]`, of disks also `dir:FOLDER` and `release:OWNER/REPO@TAG`; `{name}` in it is the name of the image. ' +
        'It may be followed by `tag=TAG`, several times, for tags of its own (as `tags` has them), `may-fail`, for one that the others do not depend on ' +
        "(docs/registries.md), and of disks `as=container-disk`, for an image that KubeVirt boots (docs/disks.md). Default: what the plan says, else an OCI layout in a folder of the image's name.",
      placeholder: 'DEST',
      parse: parseToLine,
    }),
    tags: lines({
      description:
        'Tag to move at every destination, or a rule that makes one from the event of a workflow run, such as ' +
        "`type=ref,event=branch` (docs/tags.md). Default: the definition's own tag, or `latest`.",
      placeholder: 'TAG',
      flag: 'tag',
      short: 't',
      parse: parseTagLine,
    }),
    system: choices(SYSTEMS, { description: 'System to publish. Default: all that the image is defined for.' }),
    allowMissing: flag({ description: 'Publish although the image for a system is missing.' }),
    allowBroken: flag({
      description:
        'Succeed although `plan` left out what looks like an image and does not evaluate; by default it fails at the end.',
    }),
    verify: flag({
      description:
        'Trust nothing that is published: make the image again even if it is already live, and ask every destination for every manifest ' +
        'and layer before a tag moves.',
    }),
    moveBack: flag({
      description:
        'Move tags even if a newer run of the repository has moved them, or somebody has promoted them since this run began; by default, they are left alone.',
      faces: 'action',
    }),
    handovers: choice(HANDOVERS, {
      description:
        'Which handovers of the run are taken: `any`; `registry`: those whose manifest is at their registry, where only ' +
        'jobs that may write there can have put it; `auto`: `registry` where this job has credentials for it, else `any`; ' +
        '`digest`: those that `handover-digest` names; `none`: no artifact at all (docs/workflow-run.md).',
      default: 'any',
      faces: 'action',
    }),
    handoverDigest: lines({
      description: 'Output `handover-digest` of a build job, for `handovers: digest`.',
      placeholder: 'DIGEST',
      faces: 'action',
      parse: parseHandoverDigest,
    }),
    deleteHandovers: flag({
      description:
        'Delete the handovers of the run that were taken, once everything is published everywhere; needs no permission. ' +
        'Publishing again then needs all build jobs again (docs/workflow-run.md).',
      faces: 'action',
    }),
    buildMissing: flag({ description: 'Build here what of `plan` no build job has handed over.' }),
    ...testInputs,
    ...reuseInputs,
    ...nixInputs,
    ...registryInputs,
    ...repositoryInputs,
    ...timingsInput,
    token: secret({
      description:
        'Token that fills the releases of `release:` (its job needs `contents: write`), and is used for ghcr.io where nothing else is a login for it.',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
      actionDefault: '${{ github.token }}',
    }),
  },
  outputs: {
    digest: 'Digest of the index, where one image is published.',
    digests: 'Digests of the indexes as JSON, by name of the image.',
    references: 'Every reference that now means it, one per line, such as `docker://ghcr.io/org/app:v1`.',
    digestReferences: 'Every image by its digest, one per line, such as `ghcr.io/org/app@sha256:…`.',
    files: 'Paths or URLs of the files of disks, one per line: from `dir:` and `release:`.',
    failedDestinations: FAILED_DESTINATIONS,
    json: 'All of it as JSON, by name of the image: digest, references, digestReferences, platforms with digest and size. Of hundreds of images, whose outputs together would exceed what GitHub takes from a job, only the digests.',
    metadata:
      'Of one image, as docker/build-push-action has it: JSON with `containerimage.digest`, `containerimage.descriptor`, `image.name`.',
  },
  async run(inputs, host): Promise<PublishResult> {
    const job = await jobOf(host);
    const elsewhere = whyNotInRun(job);
    if (elsewhere !== undefined) return { kind: 'nothing', why: elsewhere };
    // Only installables need Nix: a fan-in job that has all handovers runs without.
    const nix = onFirstUse(() => openNixFor(host, inputs));
    const given = installables(inputs.installable, inputs.file, inputs.attr);
    const isNamed = given.length > 0 || inputs.from.length > 0 || inputs.plan !== undefined;
    // A workflow's run has artifacts that say what is to be published.
    if (!isNamed && job === undefined) throw missingImage();
    const plan = givenPlan(inputs.plan, host, given.length > 0 || inputs.from.length > 0);
    if (plan !== undefined && given.length > 0) throw planAndInstallable();
    noteLowerCase(inputs.to, host.log);
    const planned = plan === undefined ? undefined : await readPlan(plan, host);
    const plannedTo = planned?.to.map(parseToLine) ?? [];
    const to = inputs.to.length > 0 ? inputs.to : plannedTo;
    const tags = await runTags(to, inputs.tags, host, plannedTo);
    if (!tags.any) return { kind: 'nothing', why: NO_RULE };
    const places = await placesOf(host, { ...inputs, to });
    const noLogin = await whyNoLogin(job, { to: placesOfImages(to), names: [] }, places);
    if (noLogin !== undefined) return { kind: 'nothing', why: noLogin };
    const { collect, removeSpent, close } = handoverCollector(inputs, job, host, places);
    const whyLeft = job && (await closedPull(inputs.token, host));
    const shared = {
      optional: new OptionalTargets(),
      copies: new OnceEach<void>(),
      files: filesPlaces(host, inputs.token),
    };
    const publishing: Publishing = { ...inputs, tags, places, host, nix, whyLeft, ...shared };
    try {
      if (planned) {
        const result = await publishPlan(planned, inputs, collect, publishing);
        if (inputs.deleteHandovers && result.kind === 'plan') await removeSpent(result.outcomes);
        const short = job && shortOutputs(result);
        if (short !== undefined) host.log.warn(short);
        return result;
      }
      const layerPlaces = (name: string): Location[] => [
        ...imageLines(inputs.to).map((template) => locationOf(template, name)),
        ...inputs.reuseFrom,
      ];
      const handed = await collect({ ...inputs, places: layerPlaces }, given.length > 0);
      const parts = inOrder([...handed, ...(await jobsLeft(given, inputs, handed, nix))]);
      const image = soleImage(parts, tags.areAsked);
      if (!tags.applies(image.name)) return { kind: 'nothing', why: NO_RULE };
      const expected = inputs.system.length > 0 ? inputs.system : parts.flatMap((part) => part.systems);
      checkPlatforms(parts, [...new Set(expected)], inputs.allowMissing);
      const isDisk = parts.some((part) => isDiskPart(part) === true);
      const outcomes = await settledOutcomes(
        await publishForms({ ...image, isDisk }, parts, inputs.to, publishing),
        publishing,
      );
      if (inputs.deleteHandovers) await removeSpent(outcomes);
      return soleOutcome(outcomes);
    } finally {
      await close();
    }
  },
  present: presentPublish,
});

/** One image that went to places of images alone; what failed is thrown. Several forms of a disk are told as the images of a plan are. */
function soleOutcome(outcomes: readonly ImageOutcome[]): PublishResult {
  const [first, ...others] = outcomes;
  if (others.length > 0 || first === undefined || 'files' in first) return { kind: 'plan', outcomes, leftOut: [] };
  if ('error' in first) throw first.error;
  return { kind: 'image', image: first.image };
}

const missingImage = (): UserError =>
  new UserError('input', 'missing image', {
    hint: 'Write nix-images publish FLAKE#NAME, for instance .#app, or name handovers with --from, or a plan with --plan.',
  });

const planAndInstallable = (): UserError =>
  new UserError('input', 'both a plan and an image to build are given', {
    hint: 'A plan names its images: leave out the installable, or the plan.',
  });

/** One order everywhere, whatever came first. */
const inOrder = (parts: readonly PlatformInput[]): PlatformInput[] =>
  [...parts].sort((a, b) => SYSTEMS.indexOf(a.system) - SYSTEMS.indexOf(b.system));

/** What is to be built of the installables: every system that was not handed over. */
async function jobsLeft(
  given: readonly Installable[],
  { system: systems, allowMissing }: { readonly system: readonly System[]; readonly allowMissing: boolean },
  parts: readonly PlatformInput[],
  nix: () => Promise<Nix>,
): Promise<PlatformInput[]> {
  const handed = new Set(parts.map((part) => part.system));
  const jobs: PlatformInput[] = [];
  for (const installable of given)
    jobs.push(...(await buildInputs(await nix(), installable, { systems, handed, allowMissing })));
  return jobs;
}
