import { countText } from '../core/count.ts';
import { SYSTEMS, type System } from '../oci/system.ts';

/** A build job and the derivations that it has to build. */
export interface JobWork {
  readonly name: string;
  /** Names of its images. */
  readonly images: readonly string[];
  /** System that builds it. */
  readonly system: System;
  readonly unbuilt: ReadonlySet<string>;
}

/** What several build jobs of one system build, each for itself. */
export interface SharedWork {
  readonly system: System;
  /** Names of the jobs, sorted. */
  readonly jobs: readonly string[];
  /** Names of their images, sorted. */
  readonly images: readonly string[];
  /** Sorted. */
  readonly derivations: readonly string[];
  /** Builds that would not take place if each derivation were built once. */
  readonly spare: number;
}

/** What is built by two jobs or more, system by system; nothing for a system whose jobs share nothing. */
export const sharedWork = (jobs: readonly JobWork[]): SharedWork[] =>
  SYSTEMS.flatMap((system) => {
    const builders = new Map<string, JobWork[]>();
    for (const job of jobs.filter((one) => one.system === system))
      for (const drvPath of job.unbuilt) builders.set(drvPath, [...(builders.get(drvPath) ?? []), job]);
    const shared = [...builders].filter(([, those]) => those.length > 1);
    if (shared.length === 0) return [];
    const sharing = shared.flatMap(([, those]) => those);
    return [
      {
        system,
        jobs: [...new Set(sharing.map(({ name }) => name))].sort(),
        images: [...new Set(sharing.flatMap(({ images }) => images))].sort(),
        derivations: shared.map(([drvPath]) => drvPath).sort(),
        spare: shared.reduce((sum, [, those]) => sum + those.length - 1, 0),
      },
    ];
  });

/** Derivations and images that are named. */
const MOST_NAMES = 5;

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${shown} and ${names.length - MOST_NAMES} more` : shown;
}

/** `/nix/store/HASH-NAME.drv` is NAME. */
const nameOf = (drvPath: string): string => drvPath.replace(/^.*\/[^-]*-/, '').replace(/\.drv$/, '');

/** One line that says so. */
export const sharedWorkLine = ({ system, jobs, derivations, spare }: SharedWork): string =>
  `${system}: the build jobs of ${listOf(jobs)} share ${countText(derivations.length, 'derivation')} that no binary cache has ` +
  `(${listOf(derivations.map(nameOf))}), and each builds them for itself: ${countText(spare, 'build')} more than needed`;
