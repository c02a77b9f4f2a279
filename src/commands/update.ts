import { resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { timeText } from '../core/time.ts';
import { defineCommand } from '../host/command.ts';
import { choice, flag, integer, lines, path, secret, text } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { Nix } from '../nix/nix.ts';
import { filterSystems } from '../plan/filter.ts';
import type { Chosen } from '../plan/images.ts';
import type { PlannedImage } from '../plan/plan.ts';
import { type DestinationLine, imageLines, parseToLine } from '../publish/destination-line.ts';
import { type ChangedImage, changedImages } from '../update/changed-images.ts';
import type { ImageReport } from '../update/pull-request.ts';
import { compareChanged } from './compared-update.ts';
import { changedFiles, changesIn, type LockFiles, readLockFiles, restoreLocks, updateLocks } from './lock-files.ts';
import { openNixFor } from './open-nix.ts';
import { type Places, placesOf } from './places.ts';
import { markAtAll } from './plan-places.ts';
import { imagesOf, sourcesOf } from './plan-sources.ts';
import { presentUpdate, UPDATE_OUTPUTS, type UpdateResult } from './present-update.ts';
import { rebuildReasons } from './rebuild-reasons.ts';
import { nixInputs, registryInputs, variantInputs } from './shared-inputs.ts';
import { runTags } from './tags.ts';
import { closeUpdatePull } from './update-close.ts';
import { openUpdatePull, pullTarget } from './update-pull.ts';

const { requireLock: _requireLock, ...evaluation } = nixInputs;

export const update = defineCommand({
  name: 'update',
  summary: 'Update flake.lock or npins and say what changes in each image; in a workflow, open a pull request.',
  description:
    'Evaluates the images before and after, and compares those that change. With `pull-request`, one pull request is opened or updated, and only if ' +
    'an image changes; its branch is made again from the newest commit of its base each time, and left as it is once a person has committed to it. Where no image ' +
    'changes, the output `rebuild` says whether what is published is to be made again.',
  inputs: {
    folder: path({
      description: 'Folder with flake.nix or npins/sources.json.',
      placeholder: 'DIR',
      positional: true,
      default: '.',
    }),
    inputs: lines({
      description: 'Input to update, such as `nixpkgs` or `app/nixpkgs`. Default: all.',
      placeholder: 'NAME',
      flag: 'input',
    }),
    images: lines({
      description: 'Glob of names of images to look at; with `!` before it, to leave out.',
      placeholder: 'GLOB',
    }),
    systems: lines({ description: 'Glob of systems to look at, such as `x86_64-*`.', placeholder: 'GLOB' }),
    to: lines({
      description:
        'Where the images are published, such as `ghcr.io/org/{name}`: what is there need not be built to compare it.',
      placeholder: 'DEST',
      parse: parseToLine,
    }),
    maxAge: integer({
      description: 'Days from which a published image is to be made again although nothing changed. Default: no limit.',
      placeholder: 'DAYS',
      min: 1,
    }),
    advisories: text({
      description:
        'File or https URL of what `vulnix --json` prints; a published image that holds one of these packages is to be made again.',
      placeholder: 'FILE',
    }),
    pullRequest: flag({ description: 'Open or update a pull request on GitHub.' }),
    base: text({
      description: 'Branch that the pull request is for. Default: the one that is checked out.',
      placeholder: 'BRANCH',
    }),
    branch: text({
      description: 'Branch that holds the update; it belongs to this command.',
      placeholder: 'BRANCH',
      default: 'nix-images/update',
    }),
    labels: lines({
      description: 'Label of the pull request.',
      placeholder: 'LABEL',
      flag: 'label',
      default: ['dependencies'],
    }),
    autoMerge: choice(['none', 'merge', 'squash', 'rebase'], {
      description: 'How GitHub merges it once the required checks are green.',
      default: 'none',
    }),
    githubToken: secret({
      description: 'Token that opens the pull request; that of a GitHub App, for checks to start by themselves.',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: GitHub fills it in, not JavaScript.
      actionDefault: '${{ github.token }}',
    }),
    ...evaluation,
    ...variantInputs,
    ...registryInputs,
  },
  outputs: UPDATE_OUTPUTS,
  async run(inputs, host): Promise<UpdateResult> {
    const folder = resolve(host.cwd, inputs.folder);
    const locks = await readLockFiles(folder);
    const target = inputs.pullRequest ? await pullTarget(folder, locks, inputs, host) : undefined;
    const nix = await openNixFor(host, { ...inputs, requireLock: false });
    const to = imageLines(inputs.to);
    const places = await placesOf(host, inputs);
    const look = () => evaluated(folder, inputs, nix, host);
    const before = await marked((await look()).images, to, { host, places });
    try {
      await host.log.group('Updating the lock files', () => updateLocks(locks, inputs.inputs, nix, host));
      const files = await changedFiles(locks);
      const changed = files.length === 0 ? [] : changesOf(before, await look());
      const images = await compared(changed, to, locks, { host, places, nix });
      const time = timeText(Math.floor(systemClock.now() / 1000));
      const report = { time, files: files.map(({ name }) => name), changes: await changesIn(locks), images };
      if (target === undefined || images.length === 0) {
        const closed = target && (await closeUpdatePull(target, report, inputs));
        const reasons = images.length > 0 ? [] : await rebuildReasons(before, { ...inputs, to }, places, host);
        return { ...report, pull: undefined, closed, reasons };
      }
      const pull = await openUpdatePull(target, { ...report, files }, inputs);
      return { ...report, pull, closed: undefined, reasons: [] };
    } catch (error) {
      await restoreLocks(locks);
      throw error;
    }
  },
  present: presentUpdate,
});

interface LookInputs {
  readonly file: string | undefined;
  readonly attr: string | undefined;
  readonly images: readonly string[];
  readonly systems: readonly string[];
  readonly nixosVariants: readonly string[];
}

/** The images as the lock files are now. */
async function evaluated(
  folder: string,
  { file, attr, images: globs, systems, nixosVariants: variants }: LookInputs,
  nix: Nix,
  host: Host,
): Promise<Chosen> {
  const sources = sourcesOf(file === undefined ? [folder] : [], file, attr);
  return await imagesOf(sources, { systems: filterSystems(systems), variants, globs }, nix, host);
}

/** What the update does to the images; of one that is gone, why, as far as Nix says it. */
const changesOf = (before: readonly PlannedImage[], after: Chosen): ChangedImage[] =>
  changedImages(before, after.images).map((changed) =>
    changed.new === undefined ? { ...changed, broken: whyGone(changed.name, after) } : changed,
  );

/** An image that evaluates for no system has no name any more, so its attribute is what tells it. */
function whyGone(name: string, { problems, leftOut }: Pick<Chosen, 'problems' | 'leftOut'>): string[] {
  const isIts = (attr: string): boolean => attr.split('.').at(-1) === name.split('/').at(-1);
  return [
    ...problems.filter((problem) => problem.name === name).map(({ why }) => why),
    ...leftOut.filter(({ attr, broken }) => broken && isIts(attr)).map(({ attr, why }) => `${attr}: ${why}`),
  ];
}

/** The images with what is published of them: it is read there, and not built. */
async function marked(
  images: readonly PlannedImage[],
  to: readonly DestinationLine[],
  tools: { readonly host: Host; readonly places: Places },
): Promise<readonly PlannedImage[]> {
  const counted = { named: [], moved: await runTags(to, [], tools.host) };
  return await markAtAll(images, { to, systems: filterSystems([]), force: false }, counted, tools);
}

async function compared(
  changed: readonly ChangedImage[],
  to: readonly DestinationLine[],
  locks: LockFiles,
  { host, places, nix }: { readonly host: Host; readonly places: Places; readonly nix: Nix },
): Promise<ImageReport[]> {
  const tools = { host, places, nix: async () => nix };
  const reports: ImageReport[] = [];
  const lines = to.map(({ line }) => line);
  for (const one of changed) {
    reports.push(await host.log.group(`Comparing ${one.name}`, () => compareChanged(one, lines, locks, tools)));
  }
  return reports;
}
