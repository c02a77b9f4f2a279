import type { Answered } from '../core/asked-together.ts';
import { UserError } from '../core/error.ts';
import type { Handover } from '../handover/handover.ts';
import { type Evaluations, evaluateImages, evaluateSeveral } from '../nix/evaluate.ts';
import { type EvaluatedAny, isContainerImage } from '../nix/found-image.ts';
import { type Installable, installableText } from '../nix/installable.ts';
import type { Nix } from '../nix/nix.ts';
import { possibleSystems } from '../nix/search-places.ts';
import type { Digest } from '../oci/digest.ts';
import type { StoredManifest } from '../oci/read-manifest.ts';
import type { System } from '../oci/system.ts';
import type { Repository } from '../storage/destination.ts';
import type { ImageSource } from '../storage/source.ts';
import type { TestRecord } from '../test-run/test-run.ts';

interface Common {
  readonly name: string;
  readonly tag: string | null;
  readonly system: System;
  /** All systems the image is defined for. */
  readonly systems: readonly System[];
  /** Where it comes from, for messages. */
  readonly origin: string;
}

/** An image that is published already, and goes into the new index as it is. */
export interface PublishedInput extends Common {
  readonly kind: 'published';
  readonly manifest: Digest;
  readonly key: string;
  readonly source: ImageSource;
}

/** An image that is made of something else, right into its destinations. */
export interface MadeInput extends Common {
  readonly kind: 'made';
  readonly key: string;
  readonly tests: TestRecord | null;
  /** Stores it everywhere, by digest. */
  make(destinations: readonly Repository[]): Promise<StoredManifest>;
}

/** One platform's image to publish: handed over by a build job, published before, or still to be built here. */
export type PlatformInput =
  | (Common & { readonly kind: 'handover'; readonly handover: Handover })
  | PublishedInput
  | MadeInput
  | (Common & { readonly kind: 'job'; readonly evaluated: EvaluatedAny });

export const handoverInput = (handover: Handover): PlatformInput => ({
  kind: 'handover',
  name: handover.label.name,
  tag: handover.label.tag,
  system: handover.label.system,
  systems: handover.label.systems,
  origin: handover.origin,
  handover,
});

/** Whether a part is a disk; undefined of one that is published already, of which that is not known before it is read. */
export function isDiskPart(part: PlatformInput): boolean | undefined {
  if (part.kind === 'job') return !isContainerImage(part.evaluated);
  return part.kind === 'handover' ? part.handover.label.kind === 'disk' : undefined;
}

/** What is to be built of an installable. */
interface WantedJobs {
  /** The systems to publish; all that the image is defined for where it names none. */
  readonly systems: readonly System[];
  /** Those of them that need no build. */
  readonly handed: ReadonlySet<System>;
  /** Whether a system whose image does not evaluate is left out with a warning. */
  readonly allowMissing: boolean;
}

/**
 * What is to be built of an installable, found by one evaluation. Throws UserError `evaluation`, `definition` or `input`
 * as Nix and the definition give reason to.
 */
export async function buildInputs(nix: Nix, installable: Installable, wanted: WantedJobs): Promise<PlatformInput[]> {
  const { systems: named, handed, allowMissing } = wanted;
  const possible = named.length > 0 ? named : possibleSystems(installable);
  const open = possible.filter((system) => !handed.has(system));
  const [first] = open;
  if (first === undefined) return [];
  // Whoever names systems expects these and no others, so nothing else need evaluate.
  const others = named.length > 0 ? [] : possible.filter((system) => handed.has(system));
  const evaluations = await evaluateImages(nix, installable, { systems: open, others });
  const systems = named.length > 0 ? named : evaluations.systems;
  if (systems.length === 0) await evaluations.foundFor(first);
  return evaluatedParts(nix, installable, evaluations, {
    systems,
    open: systems.filter((each) => open.includes(each)),
    mayBeNone: handed.size > 0,
    allowMissing,
  });
}

/** What is to be built of one image. */
export interface NamedJobs {
  readonly installable: Installable;
  readonly systems: readonly System[];
}

/**
 * What is to be built of several images, in their order; those of one source and for the same systems by one evaluation. What one throws is its own outcome. Throws
 * UserError `cancelled`.
 */
export async function buildInputsTogether(
  nix: Nix,
  all: readonly NamedJobs[],
  allowMissing: boolean,
): Promise<readonly Answered<PlatformInput[]>[]> {
  const answers = new Map<NamedJobs, Answered<PlatformInput[]>>();
  const answer = async (one: NamedJobs, work: () => Promise<PlatformInput[]>): Promise<void> => {
    try {
      answers.set(one, { answer: await work() });
    } catch (error) {
      if (!(error instanceof UserError) || error.code === 'cancelled') throw error;
      answers.set(one, { error });
    }
  };
  const together = Map.groupBy(all, ({ installable, systems }) => JSON.stringify([...sourceOf(installable), systems]));
  for (const same of together.values()) {
    const [{ systems } = { systems: [] }] = same;
    const evaluating = evaluateSeveral(
      nix,
      same.map(({ installable }) => installable),
      { systems },
    );
    for (const [at, one] of same.entries()) {
      await answer(one, async () => {
        const evaluations = (await evaluating)[at];
        if (evaluations === undefined) throw new RangeError(`${installableText(one.installable)} was not evaluated`);
        return evaluatedParts(nix, one.installable, evaluations, {
          systems,
          open: systems,
          mayBeNone: false,
          allowMissing,
        });
      });
    }
  }
  return all.flatMap((one) => answers.get(one) ?? []);
}

const sourceOf = (installable: Installable): readonly string[] =>
  installable.kind === 'flake' ? ['flake', installable.flake] : ['file', installable.file];

interface EvaluatedSystems extends Pick<WantedJobs, 'allowMissing'> {
  /** All systems of the image. */
  readonly systems: readonly System[];
  /** Those that are to be built. */
  readonly open: readonly System[];
  /** Whether it may be that nothing is to be built. */
  readonly mayBeNone: boolean;
}

/** One part for each system; without one that does not evaluate, where that is allowed. */
async function evaluatedParts(
  nix: Nix,
  installable: Installable,
  evaluations: Evaluations,
  { systems, open, mayBeNone, allowMissing }: EvaluatedSystems,
): Promise<PlatformInput[]> {
  const parts: PlatformInput[] = [];
  const failures: UserError[] = [];
  for (const system of open) {
    try {
      const evaluated = await evaluations.foundFor(system);
      parts.push(partOf(evaluated, systems, `${installableText(installable)} (${system})`));
    } catch (error) {
      if (!allowMissing || !(error instanceof UserError) || error.code === 'cancelled') throw error;
      failures.push(error);
    }
  }
  const [failure] = failures;
  if (failure && parts.length === 0 && !mayBeNone) throw failure;
  for (const { message } of failures) nix.log.warn(`left out: ${message}`);
  return parts;
}

function partOf(evaluated: EvaluatedAny, systems: readonly System[], origin: string): PlatformInput {
  const { name, tag, system } = evaluated;
  return { kind: 'job', name, tag, system, systems, origin, evaluated };
}

/**
 * The one image that all parts belong to. Throws UserError `platforms` when they are of several, or there are none, and
 * `handover` when they have different tags of their own and none are given (`isTagged`).
 */
export function soleImage(
  parts: readonly PlatformInput[],
  isTagged: boolean,
): { readonly name: string; readonly tag: string | null } {
  const [first, ...others] = parts;
  if (!first) {
    throw new UserError('platforms', 'no image to publish', {
      hint: 'Name an installable such as .#app, or the folder of a handover with --from.',
    });
  }
  checkOneKind(parts);
  const other = others.find((part) => part.name !== first.name);
  if (!other) {
    const tagged = others.find((part) => part.tag !== first.tag);
    if (!tagged || isTagged) return first;
    const text = ({ tag, origin }: PlatformInput): string => `${tag ?? 'no tag'} in ${origin}`;
    throw new UserError('handover', `${first.name} has two tags: ${text(first)}, and ${text(tagged)}`, {
      hint: 'Build all systems of the same commit, or name the tags with --tag.',
    });
  }
  throw new UserError(
    'platforms',
    `two images: ${first.name} from ${first.origin} and ${other.name} from ${other.origin}`,
    {
      hint: 'Publish one image at a time: name it (in a workflow by the input `image`), or name its handovers with --from.',
    },
  );
}

/** Throws UserError `platforms` where some parts are container images and others disks: nothing could be done with both in one index. */
function checkOneKind(parts: readonly PlatformInput[]): void {
  const disk = parts.find((part) => isDiskPart(part) === true);
  const image = parts.find((part) => isDiskPart(part) === false);
  if (disk === undefined || image === undefined) return;
  throw new UserError('platforms', `${image.origin} is a container image, and ${disk.origin} is a disk`, {
    hint: 'Give each a name of its own: an index holds one or the other.',
  });
}
