import type { Answered } from '../core/asked-together.ts';
import { UserError } from '../core/error.ts';
import { mapParallel } from '../core/parallel.ts';
import { BuildRound, type RoundMember } from '../image/build-round.ts';
import { isContainerImage } from '../nix/found-image.ts';
import type { Plan, PlannedImage } from '../plan/plan.ts';
import { buildInputsTogether, type NamedJobs, type PlatformInput } from '../publish/platform-input.ts';
import { jobsTogether } from './planned-places.ts';
import { allParts, type Finding, findParts, type PlanInputs } from './platform-inputs.ts';

/** Images whose parts are looked for at once: a few requests each. */
const LOOKED_FOR_AT_ONCE = 4;

type Parts = readonly PlatformInput[];

/**
 * The parts of every image of a plan: published, handed over, and the rest to be built here. What is to be built is evaluated together. What one image
 * throws is its own outcome. Throws UserError `cancelled`.
 */
export async function partsTogether(
  images: readonly PlannedImage[],
  plan: Plan,
  inputs: PlanInputs,
  finding: Finding,
): Promise<ReadonlyMap<PlannedImage, Answered<Parts>>> {
  const { host, nix } = finding;
  const own = async <T>(work: () => Promise<T>): Promise<Answered<T>> => {
    try {
      return { answer: await work() };
    } catch (error) {
      if (!(error instanceof UserError) || host.signal.aborted) throw error;
      return { error };
    }
  };
  const found = await mapParallel(images, LOOKED_FOR_AT_ONCE, (image) =>
    own(() => findParts(image, plan, inputs, finding)),
  );
  const wanted = new Map<PlannedImage, readonly NamedJobs[]>();
  for (const [at, image] of images.entries()) {
    const one = found[at];
    if (one && 'answer' in one) wanted.set(image, [...jobsTogether(image.source, one.answer.missing)]);
  }
  const all = [...wanted.values()].flat();
  const built = all.length === 0 ? [] : await buildInputsTogether(await nix(), all, inputs.allowMissing);
  const toBuild = new Map(all.map((jobs, at) => [jobs, built[at]]));
  const parts = new Map<PlannedImage, Answered<Parts>>();
  for (const [at, image] of images.entries()) {
    const one = found[at];
    if (one === undefined) continue;
    const outcome = await own(async () => {
      if ('error' in one) throw one.error;
      const made = (wanted.get(image) ?? []).flatMap((jobs) => {
        const answered = toBuild.get(jobs);
        if (answered && 'error' in answered) throw answered.error;
        return answered?.answer ?? [];
      });
      return allParts(image, [...one.answer.parts, ...made], plan, { ...inputs, host });
    });
    parts.set(image, outcome);
  }
  return parts;
}

/** The parts that one process builds at the same time, each with its place among the others of its system. */
export type Members = ReadonlyMap<PlatformInput, RoundMember>;

/**
 * A round for the container images of each system: an image is built for one system after the other, so what it asks of one round comes when it is
 * through with the one before. None where there is nothing to share.
 */
export function openRounds(images: readonly Parts[], tools: ConstructorParameters<typeof BuildRound>[1]): Members {
  const isBuilt = (part: PlatformInput): boolean => part.kind === 'job' && isContainerImage(part.evaluated);
  if (images.filter((parts) => parts.some(isBuilt)).length < 2) return new Map();
  const members = new Map<PlatformInput, RoundMember>();
  const bySystem = Map.groupBy(images.flat().filter(isBuilt), ({ system }) => system);
  for (const parts of bySystem.values()) {
    const round = new BuildRound(parts.length, tools);
    for (const part of parts) {
      const member = round.join();
      members.set(part, member);
      // The others need not wait for layers that are not planned.
      if (part.kind === 'job' && part.evaluated.kind !== 'definition') member.leave();
    }
  }
  return members;
}
