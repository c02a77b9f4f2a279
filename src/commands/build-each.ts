import { join } from 'node:path';
import { UserError } from '../core/error.ts';
import type { Job } from '../github/job.ts';
import { chooseMode, type HandoverChoice, type HandoverMode } from '../handover/mode.ts';
import type { Host } from '../host/host.ts';
import { BuildRound, type RoundMember } from '../image/build-round.ts';
import { evaluateSeveral } from '../nix/evaluate.ts';
import type { EvaluatedAny } from '../nix/found-image.ts';
import { withGcRoots } from '../nix/gc-roots.ts';
import { type Installable, installableText } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { possibleSystems } from '../nix/search-places.ts';
import { SYSTEMS, type System } from '../oci/system.ts';
import { imageLines, type ToLine } from '../publish/destination-line.ts';
import type { Location } from '../storage/location.ts';
import { locationOf } from '../storage/location-template.ts';
import { statusOf } from '../storage/registry/failure.ts';
import { checkTestable } from './image-tests.ts';
import { type HandoverInputs, handoverFolder, type MadeHandover, makeHandover } from './make-handover.ts';
import type { NotPublished } from './not-published.ts';
import type { Places } from './places.ts';
import { type PlacingInputs, placingOf } from './placing.ts';
import { systemHere } from './system-here.ts';
import { decisiveLines, runTags } from './tags.ts';

interface BuildInputs extends HandoverInputs, PlacingInputs {
  readonly system: System | undefined;
  readonly systems: readonly System[];
  readonly to: readonly ToLine[];
  readonly handover: HandoverChoice;
}

interface Tools {
  readonly job: Job | undefined;
  readonly host: Host;
  readonly places: Places;
  readonly nix: Nix;
}

/** What came of the images that one job builds. */
export interface BuiltImages {
  readonly built: readonly MadeHandover[];
  /** Those of several that could not be built; of one alone it is thrown. */
  readonly failed: readonly NotPublished[];
}

/** An image as it was evaluated, with all systems that it has; or why it was not. */
type Found =
  | { readonly what: string; readonly evaluated: EvaluatedAny; readonly systems: readonly System[] }
  | { readonly what: string; readonly error: unknown };

/**
 * Builds every image and hands each over by itself. Those of one flake are evaluated together, and the layers of all are planned together and made once.
 * An image that fails leaves the others. Throws UserError as the steps do, where there is one image; `input` where two have one
 * name; `cancelled`.
 */
export async function buildEach(
  installables: readonly Installable[],
  inputs: BuildInputs,
  tools: Tools,
): Promise<BuiltImages> {
  const found = await evaluateEach(installables, inputs, tools.nix);
  const [sole, ...others] = found;
  if (sole && others.length === 0) return { built: [await buildOne(sole, inputs, tools, undefined)], failed: [] };
  checkNames(found);
  const tempDir = await tools.host.tempDir();
  const outcomes = await withGcRoots((gcRootDir) => buildTogether(found, inputs, tools, gcRootDir), tempDir);
  const failed = outcomes.flatMap((one) => ('error' in one ? one : []));
  const isFatal = ({ error }: { readonly error: unknown }): boolean =>
    !(error instanceof UserError) || error.code === 'cancelled';
  const fatal = failed.find(isFatal);
  if (fatal) throw fatal.error;
  return {
    built: outcomes.flatMap((one) => ('error' in one ? [] : one)),
    failed: failed.flatMap(({ what, error }) => (error instanceof UserError ? { name: what, error } : [])),
  };
}

type Outcome = MadeHandover | { readonly what: string; readonly error: unknown };

/** Builds all at the same time: what Nix is asked for, and layers, are those of all. */
function buildTogether(
  found: readonly Found[],
  inputs: BuildInputs,
  tools: Tools,
  gcRootDir: string,
): Promise<readonly Outcome[]> {
  const { host, nix } = tools;
  const round = new BuildRound(found.length, {
    nix,
    gcRootDir,
    building: (work) => host.log.group('Realising what the images are made of', work),
  });
  return Promise.all(
    found.map(async (one): Promise<Outcome> => {
      const member = round.join();
      try {
        return await buildOne(one, inFolders(inputs, one), tools, member);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (!host.signal.aborted) host.log.warn(`${nameOf(one)} is not built: ${why}`);
        return { what: nameOf(one), error };
      } finally {
        member.leave();
      }
    }),
  );
}

const nameOf = (found: Found): string => ('evaluated' in found ? found.evaluated.name : found.what);

/** Each in a folder of its own below the one that was named. */
const inFolders = (inputs: BuildInputs, found: Found): BuildInputs =>
  inputs.out === undefined || !('evaluated' in found)
    ? inputs
    : { ...inputs, out: join(inputs.out, handoverFolder(found.evaluated)) };

/** What one handover would take the name of another. Throws UserError `input`. */
function checkNames(found: readonly Found[]): void {
  const twice = [...Map.groupBy(found, nameOf).values()].find((same) => same.length > 1);
  if (!twice) return;
  const [first, second] = twice.map(({ what }) => what);
  throw new UserError('input', `${first} and ${second} have the name ${twice[0] && nameOf(twice[0])}`, {
    hint: 'Name each image once, and give each a name of its own.',
  });
}

/** Evaluates images, those of one source, for one system, by one call of Nix; in their order. */
async function evaluateEach(
  installables: readonly Installable[],
  inputs: Pick<BuildInputs, 'system' | 'systems'>,
  nix: Nix,
): Promise<readonly Found[]> {
  const wanted = installables.map((installable) => ({ installable, ...openFor(installable, inputs) }));
  const found = new Map<(typeof wanted)[number], Found>();
  const together = Map.groupBy(wanted, ({ installable, system, others }) =>
    JSON.stringify([installable.kind === 'flake' ? installable.flake : ['file', installable.file], system, others]),
  );
  for (const same of together.values()) {
    const [{ system, others } = { system: systemHere(), others: [] }] = same;
    const open = same.map((one) => one.open);
    const all = await evaluateSeveral(nix, open, { systems: [system], others });
    for (const [at, one] of same.entries()) {
      const evaluations = all[at];
      const what = installableText(one.installable);
      if (evaluations === undefined) throw new RangeError(`${what} was not evaluated`);
      const systems = systemsOf(inputs.systems, evaluations.systems, system);
      const outcome = evaluations.foundFor(system).then(
        (evaluated): Found => ({ what, evaluated, systems }),
        (error: unknown): Found => ({ what, error }),
      );
      found.set(one, await outcome);
    }
  }
  return wanted.flatMap((one) => found.get(one) ?? []);
}

/** What is evaluated for an installable: the image for one system, and whether there is one for others. */
function openFor(installable: Installable, { system: asked, systems }: Pick<BuildInputs, 'system' | 'systems'>) {
  const fixed = installable.kind === 'flake' ? installable.system : undefined;
  const system = asked ?? fixed ?? systemHere();
  // A full path says where the image for this system is, not that there is none for another.
  const isNative = installable.kind === 'flake' && fixed === system;
  const open = isNative ? { ...installable, system: undefined } : installable;
  const others = systems.length > 0 ? [] : possibleSystems(open).filter((other) => other !== system);
  return { open, system, others };
}

/** All systems of the image, as the plan says or the evaluation found. Throws UserError `input` where they contradict. */
function systemsOf(given: readonly System[], found: readonly System[], system: System): readonly System[] {
  if (given.length === 0) return found;
  if (given.includes(system)) return SYSTEMS.filter((each) => given.includes(each));
  throw new UserError('input', `systems: ${given.join(', ')} does not have ${system}, for which this builds`, {
    hint: 'Give the field systems of the job in the matrix that plan makes, beside its field system.',
  });
}

/** Builds one image, and hands it over by the run where its registry refuses its layers. */
async function buildOne(
  found: Found,
  inputs: BuildInputs,
  { job, host, places, nix }: Tools,
  round: RoundMember | undefined,
): Promise<MadeHandover> {
  if ('error' in found) throw found.error;
  const { evaluated, systems } = found;
  const { name, tag, system } = evaluated;
  await checkTestable(evaluated, inputs, host);
  const placing = await placingOf(evaluated, inputs, host);
  const lines = imageLines(inputs.to);
  const [first] = decisiveLines(lines, name, await runTags(lines, [], host));
  const destination = first && locationOf(first, name);
  const mode = await modeOf(inputs.handover, destination, { job, host, places });
  const make = (how: HandoverMode): Promise<MadeHandover> => {
    const to = how === 'registry' ? destination : undefined;
    const task = { evaluated, name, tag, system, systems, mode: how, to, published: destination, placing, round };
    return makeHandover(task, inputs, { job, host, places, nix });
  };
  if (mode !== 'registry' || inputs.handover !== 'auto' || !job) return make(mode);
  return make(mode).catch((error: unknown) => {
    if (!(error instanceof UserError) || !REFUSED.includes(statusOf(error) ?? 0)) throw error;
    host.log.warn(`${error.message}; handing over by an artifact of the run instead`);
    return make('artifact');
  });
}

/** Of a login that may read, and not write (distribution-spec, "Error codes"). */
const REFUSED = [401, 403];

/** On a person's machine naming a registry is the choice; on a runner the job's rights count too. */
async function modeOf(
  asked: HandoverChoice,
  to: Location | undefined,
  { job, host, places }: Pick<Tools, 'job' | 'host' | 'places'>,
): Promise<HandoverMode> {
  if (!job) return to ? 'registry' : 'artifact';
  const hasCredentials = to !== undefined && (await places.hasCredentials(to));
  const { isFork, isMergeQueue } = job;
  const { mode, why } = chooseMode({ asked, hasDestination: to !== undefined, hasCredentials, isFork, isMergeQueue });
  host.log.info(`handover: ${mode} (${why})`);
  return mode;
}
