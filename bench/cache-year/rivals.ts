import type { BuiltFact } from './packages.ts';
import { Service } from './service.ts';
import type { Job, Run } from './year.ts';

/** A way to use the service: what of a run's paths it serves. Pull requests read. */
export interface Policy {
  readonly service: Service;
  /** The paths of each job, in the order of the jobs, that need no build. */
  run(run: Run): readonly ReadonlySet<string>[];
}

/** Bytes of upstream paths that a job needs, and those of all jobs of a system. */
const UPSTREAM = { job: 1_000_000_000, system: 2_500_000_000 } as const;

/** Upstream paths are stored one by one as well, where a policy takes whole closures. */
const UPSTREAM_PATHS = 100;

const bytesOf = (paths: readonly BuiltFact[]): number => paths.reduce((sum, { bytes }) => sum + bytes, 0);

/** One archive of the whole store for each key: the newest that fits is restored, and another one is saved after each change. */
abstract class Tarballs implements Policy {
  readonly service = new Service();
  readonly #newest = new Map<string, { readonly key: string; readonly paths: ReadonlySet<string> }>();

  protected abstract nameOf(job: Job): string;
  protected abstract readonly upstream: number;

  run(run: Run): ReadonlySet<string>[] {
    const served = run.jobs.map((job) => {
      const found = this.#newest.get(this.nameOf(job));
      return found && this.service.read(found.key) ? found.paths : new Set<string>();
    });
    if (run.isPullRequest) return served;
    for (const [name, jobs] of Map.groupBy(run.jobs, (job) => this.nameOf(job))) {
      const paths = [...new Map(this.#all(jobs, name).map((one) => [one.path, one])).values()];
      const key = `${name} ${run.hour}`;
      // The one before is deleted, as its better actions do.
      this.service.remove(this.#newest.get(name)?.key ?? '');
      this.service.save(key, this.upstream + bytesOf(paths));
      this.#newest.set(name, { key, paths: new Set(paths.map(({ path }) => path)) });
    }
    return served;
  }

  readonly #last = new Map<string, Map<string, readonly BuiltFact[]>>();

  /** A system's archive has the images that were not built this time too. */
  #all(jobs: readonly Job[], name: string): BuiltFact[] {
    const last = this.#last.get(name) ?? new Map<string, readonly BuiltFact[]>();
    this.#last.set(name, last);
    for (const job of jobs) last.set(job.image, job.paths);
    return [...last.values()].flat();
  }
}

export class TarballOfJob extends Tarballs {
  protected readonly upstream = UPSTREAM.job;
  protected readonly nameOf = ({ system, image }: Job): string => `${system} ${image}`;
}

export class TarballOfSystem extends Tarballs {
  protected readonly upstream = UPSTREAM.system;
  protected readonly nameOf = ({ system }: Job): string => system;
}

export interface PathOptions {
  /** What the distribution's cache has is stored too. */
  readonly isClosure: boolean;
  /** Jobs of pull requests store what they built, in a scope of their own, which takes room as anything else does. */
  readonly forPullRequests: boolean;
  /** Bytes that the service has room for. */
  readonly limit?: number;
}

/** One entry for each path; the service drops what was not used for longest. */
export class PathEntries implements Policy {
  readonly service: Service;
  readonly #options: PathOptions;

  constructor(options: PathOptions) {
    this.#options = options;
    this.service = new Service(options.limit);
  }

  run(run: Run): ReadonlySet<string>[] {
    const served = run.jobs.map(
      ({ paths }) => new Set(paths.filter(({ path }) => this.service.read(path)).map(({ path }) => path)),
    );
    if (run.isPullRequest && !this.#options.forPullRequests) return served;
    const scope = run.isPullRequest ? `pull request ${run.hour} ` : '';
    for (const { system, paths, image } of run.jobs) {
      for (const { path, bytes } of paths) if (!this.service.has(path)) this.service.save(scope + path, bytes);
      if (this.#options.isClosure) this.#upstream(system, Number(image.slice('app'.length)), Math.floor(run.week / 4));
    }
    return served;
  }

  /** A job's share of the system's upstream paths, which change with every update. */
  #upstream(system: string, image: number, update: number): void {
    const count = (UPSTREAM_PATHS * UPSTREAM.job) / UPSTREAM.system;
    for (let at = 0; at < count; at += 1) {
      const path = (image * 7 + at) % UPSTREAM_PATHS;
      this.service.save(`upstream ${system} ${update} ${path}`, UPSTREAM.system / UPSTREAM_PATHS);
    }
  }
}
