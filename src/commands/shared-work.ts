import { gatherIndex } from '../cache/gather.ts';
import { knownBuilds } from '../cache/known-builds.ts';
import { noCacheService } from '../github/cache/cache-service.ts';
import type { Host } from '../host/host.ts';
import type { Nix } from '../nix/nix.ts';
import { neverSubstituted } from '../nix/stored-paths.ts';
import { unbuilt } from '../nix/unbuilt.ts';
import { jobName, type NeededJob } from '../plan/matrix.ts';
import { type Recipes, recipeFor } from '../plan/recipes.ts';
import { type RunnerLine, runnersOf } from '../plan/runners.ts';
import { type JobWork, type SharedWork, sharedWork, sharedWorkLine } from '../plan/shared-work.ts';
import { worthOf, worthText } from '../plan/shared-worth.ts';
import { type CacheInputs, openHouse } from './cache-house.ts';
import { whileServed } from './cache-serving.ts';

/** A first build job, as `strategy.matrix.include` takes it. */
interface SharedJob {
  readonly name: string;
  readonly system: string;
  readonly runner: unknown;
  readonly emulate: string;
  /** The images that need what it builds, one per line. */
  readonly images: string;
}

/** The job's name to others and to the cache. No image has it, for theirs are in lower case. */
const SHARED_JOB = 'Shared';

/** What several build jobs of a plan would build each for itself. */
export interface SharedPlan {
  /** A line for each system. */
  readonly lines: readonly string[];
  /** The first build jobs that pay. */
  readonly jobs: readonly SharedJob[];
}

export const NOTHING_SHARED: SharedPlan = { lines: [], jobs: [] };

interface SharedQuery {
  /** The build jobs: the images of each. */
  readonly batches: Batches;
  readonly recipes: Recipes;
  readonly runners: readonly RunnerLine[];
  readonly maxParallel: number;
  /** `always`: whatever it saves. */
  readonly when: 'auto' | 'always';
}

type Batches = readonly (readonly NeededJob[])[];

/** Build jobs of systems for which there are several: one alone shares with nobody. */
function sharingJobs(batches: Batches) {
  const jobs = batches.flatMap((needed) => {
    const [first] = needed;
    if (first === undefined) return [];
    const images = needed.map(({ image }) => image.name);
    return [{ needed, images, name: jobName(images), system: first.job.buildSystem ?? first.job.system }];
  });
  const several = Map.groupBy(jobs, ({ system }) => system);
  return jobs.filter(({ system }) => (several.get(system)?.length ?? 0) > 1);
}

/** What each of these jobs has to build and may fetch instead. Nix asks its substituters. */
async function workOf(
  jobs: ReturnType<typeof sharingJobs>,
  recipes: Recipes,
  nix: Nix,
  { log }: Pick<Host, 'log'>,
): Promise<readonly JobWork[]> {
  const work: JobWork[] = [];
  for (const { needed, images, name, system } of jobs) {
    const found = await unbuilt(
      nix,
      needed.flatMap(({ image, job }) => recipeFor(recipes, image, job)),
    );
    if (found) work.push({ name, images, system, unbuilt: found });
    else log.warn(`shared work: Nix cannot tell what ${name} for ${needed[0]?.job.system} needs to be built`);
  }
  // Nix builds these in each job all the same.
  const trivial = await neverSubstituted([...new Set(work.flatMap((one) => [...one.unbuilt]))]);
  return work.map((one) => ({ ...one, unbuilt: new Set([...one.unbuilt].filter((drv) => !trivial.has(drv))) }));
}

/** What is shared among build jobs that this machine's Nix would have to build. */
export const sharedAmong = async (
  batches: Batches,
  recipes: Recipes,
  nix: Nix,
  host: Pick<Host, 'log'>,
): Promise<readonly SharedWork[]> => sharedWork(await workOf(sharingJobs(batches), recipes, nix, host));

/**
 * Finds what several build jobs would build each for itself, though the cache is there, and whether a job that builds it first pays. How
 * long builds take is read in the cache's index. Throws UserError `input` and `cancelled`.
 */
export async function planShared(
  query: SharedQuery,
  inputs: Omit<CacheInputs, 'limit' | 'name' | 'system'>,
  nix: Nix,
  host: Host,
): Promise<SharedPlan> {
  const jobs = sharingJobs(query.batches);
  const why = host.kind === 'runner' && inputs.cache === undefined ? noCacheService(host.env) : undefined;
  if (why !== undefined && query.when === 'auto') {
    host.log.debug(`shared work: build jobs cannot take from each other: ${why}`);
    return NOTHING_SHARED;
  }
  if (jobs.length === 0) return { lines: ['no two build jobs build the same derivation'], jobs: [] };
  const { index, served } = await openIndex(inputs, why, host);
  const work = await served((env) => {
    const cached: Nix = { ...nix, store: (args, options) => nix.store(args, { ...options, env }) };
    return workOf(jobs, query.recipes, cached, host);
  });
  const known = knownBuilds(index);
  const runners = runnersOf(query.runners);
  const found = sharedWork(work).map((shared) => {
    const worth = worthOf(shared, work, {
      known: (drvPath) => known(shared.system, drvPath),
      maxParallel: query.maxParallel,
    });
    const isForced = query.when === 'always';
    const { runsOn, emulated } = runners[shared.system];
    const job: SharedJob = {
      ...{ name: SHARED_JOB, system: shared.system, runner: runsOn, emulate: emulated ? shared.system : '' },
      images: shared.images.join('\n'),
    };
    return {
      line: `${sharedWorkLine(shared)}; ${worthText(worth, isForced)}`,
      jobs: worth.pays || isForced ? [job] : [],
    };
  });
  const lines = found.map(({ line }) => line);
  return {
    lines: lines.length > 0 ? lines : ['no two build jobs build the same derivation'],
    jobs: found.flatMap((one) => one.jobs),
  };
}

/** The cache's index, and a way to let Nix see what is cached while something is asked of it. */
async function openIndex(inputs: Omit<CacheInputs, 'limit' | 'name' | 'system'>, why: string | undefined, host: Host) {
  const direct = <T>(work: (env: Readonly<Record<string, string>>) => Promise<T>): Promise<T> => work({});
  const isNone = host.kind === 'terminal' && inputs.cache === undefined;
  if (isNone || why !== undefined) return { index: { paths: [] }, served: direct };
  const { world, rules, attempt } = await openHouse(host, {
    ...inputs,
    ...{ limit: undefined, name: undefined, system: undefined },
  });
  const { store } = world;
  const { index } = await gatherIndex(world, await store.list(), { ...rules, run: attempt.run });
  if (index.paths.length === 0) return { index, served: direct };
  const served = <T>(work: (env: Readonly<Record<string, string>>) => Promise<T>): Promise<T> =>
    whileServed(host, { store, index }, work);
  return { index, served };
}
