import { type Numbers, numbersOf } from './numbers.ts';
import { type BuiltFact, type Package, pathsOf, secondsOf, sharedPackages, withNeeds } from './packages.ts';

/** What one build job asks for: an image of one system that is not published as it is. */
export interface Job {
  readonly system: string;
  readonly image: string;
  readonly paths: readonly BuiltFact[];
}

/** A run of the workflow. */
export interface Run {
  /** Hours since the year began. */
  readonly hour: number;
  readonly week: number;
  readonly isPullRequest: boolean;
  readonly jobs: readonly Job[];
}

export interface YearOptions {
  readonly weeks: number;
  readonly seed: number;
  /** One run every 7.07 days instead, and no pull requests: the service drops what nobody used for 7. */
  readonly isSeldom?: boolean;
}

const SYSTEMS = ['x86_64-linux', 'aarch64-linux'];
const IMAGES = 12;

/** Packages that an image has for itself, and those of the shared ones that it asks for by name. */
const OWN_PACKAGES = 40;
const NAMED_PACKAGES = 14;

/** Weeks between two updates of nixpkgs, after which every path has another hash. */
const UPDATE_WEEKS = 4;

/** How often an image's own code changes in a week. */
const CHANGE_OF_IMAGE = 0.7;

const PULL_REQUESTS = 9;

/** Hours of a week at which the default branch is built. */
const MAIN_RUNS = [10, 58, 106];

const HOURS_A_WEEK = 168;

/** Hours between two runs of a project that is seldom built: 7.07 days. */
const SELDOM_HOURS = 169.7;

/** What changes in the shared packages in weeks without an update, in turn; as in the series of changes of layer plans. */
const CHANGES = ['leaf', 'middle', 'leaf', 'middle', 'leaf', 'middle', 'leaf'] as const;

class Project {
  readonly packages: Package[];
  readonly #numbers: Numbers;
  readonly #byId: ReadonlyMap<string, Package>;
  readonly #images = new Map<string, ReadonlySet<string>>();

  constructor(numbers: Numbers) {
    this.#numbers = numbers;
    const shared = SYSTEMS.map((system, at) => (at === 0 ? sharedPackages(system, numbers) : []));
    const [first = []] = shared;
    // The same packages on the other systems: they take as long, and have as many bytes.
    const all = SYSTEMS.flatMap((system) =>
      first.map((one) => ({
        ...one,
        system,
        id: on(system, one.id),
        needs: one.needs.map((need) => on(system, need)),
      })),
    );
    const named = Array.from({ length: IMAGES }, () =>
      Array.from({ length: NAMED_PACKAGES }, () => numbers.below(first.length)),
    );
    const own = named.map((names, image) =>
      this.#ownPackages(
        image,
        names.map((at) => first[at]?.id ?? ''),
      ),
    );
    this.packages = [
      ...all,
      ...own.flatMap((one) => SYSTEMS.flatMap((system) => one.map((pack) => moved(pack, system)))),
    ];
    this.#byId = new Map(this.packages.map((one) => [one.id, one]));
    for (const system of SYSTEMS) {
      for (const [image, packages] of own.entries()) {
        const root = on(system, packages.at(-1)?.id ?? '');
        this.#images.set(`${system} ${image}`, withNeeds([root], this.#byId));
      }
    }
  }

  /** A chain of steps, each of which needs the one before and some shared packages; the last is the image's program. */
  #ownPackages(image: number, named: readonly string[]): Package[] {
    const numbers = this.#numbers;
    return Array.from({ length: OWN_PACKAGES }, (_, at): Package => {
      const before = at > 0 && numbers.share() < 0.8 ? [`i${image}-${at - 1}`] : [];
      const relative = numbers.normal();
      const isLast = at === OWN_PACKAGES - 1;
      const all = Array.from({ length: OWN_PACKAGES - 1 }, (_unused, other) => `i${image}-${other}`);
      return {
        id: `i${image}-${at}`,
        system: '',
        image: `app${image}`,
        size: 1_000_000 * Math.exp(relative),
        seconds: secondsOf(relative, numbers),
        needs: isLast ? [...all, ...named] : before,
        revision: 0,
      };
    });
  }

  jobs(isAsked = (_image: string): boolean => true): Job[] {
    const asked = [...this.#images].filter(([name]) => isAsked(`app${name.split(' ')[1]}`));
    const ids = new Set(asked.flatMap(([, packages]) => [...packages]));
    const paths = pathsOf(this.packages.filter(({ id }) => ids.has(id)));
    return asked.map(([name, packages]) => {
      const [system = '', image = ''] = name.split(' ');
      return { system, image: `app${image}`, paths: [...packages].flatMap((id) => paths.get(id) ?? []) };
    });
  }

  /** The same change on every system. */
  #bump(id: string, by = 1): void {
    for (const system of SYSTEMS) {
      const one = this.#byId.get(on(system, id));
      if (one) one.revision += by;
    }
  }

  update(): void {
    for (const one of this.packages) one.revision += 1;
  }

  change(kind: (typeof CHANGES)[number]): void {
    // Later packages are needed by few, the first ones by most.
    const at = kind === 'leaf' ? 140 + this.#numbers.below(100) : 30 + this.#numbers.below(60);
    this.#bump(`p${159 + at}`);
  }

  /** A change in an image's own code: what is built from there on is new. */
  changeImage(image: number, by = 1): void {
    this.#bump(`i${image}-${Math.floor(OWN_PACKAGES * (0.5 + this.#numbers.share() / 2))}`, by);
  }

  /** What a pull request builds: its image with a change that nobody else has. */
  pullRequest(image: number, number: number): Job[] {
    const before = this.packages.map(({ revision }) => revision);
    this.changeImage(image, number * 1000);
    const jobs = this.jobs((one) => one === `app${image}`);
    this.packages.forEach((one, at) => {
      one.revision = before[at] ?? 0;
    });
    return jobs;
  }
}

const on = (system: string, id: string): string => `${system}/${id.replace(/^[^/]*\//, '')}`;

const moved = (one: Package, system: string): Package => ({
  ...one,
  system,
  id: on(system, one.id),
  needs: one.needs.map((need) => on(system, need)),
});

/** All runs of some weeks, in order. Equal options, equal runs. */
export function runsOfYear({ weeks, seed, isSeldom = false }: YearOptions): Run[] {
  const numbers = numbersOf(seed);
  const project = new Project(numbers);
  const runs: Run[] = [];
  let built = new Map<string, string>();
  let pulls = 0;
  for (let week = 0; week < weeks; week += 1) {
    if (week > 0 && week % UPDATE_WEEKS === 0) project.update();
    else if (week > 0) project.change(CHANGES[week % CHANGES.length] ?? 'leaf');
    const changing = Array.from({ length: IMAGES }, () =>
      numbers.share() < CHANGE_OF_IMAGE ? numbers.below(MAIN_RUNS.length) : -1,
    );
    for (const [at, inWeek] of MAIN_RUNS.entries()) {
      if (isSeldom && at > 0) break;
      const hour = isSeldom ? Math.ceil(week * (SELDOM_HOURS - HOURS_A_WEEK)) : inWeek;
      for (const [image, when] of changing.entries())
        if (when === at || (isSeldom && when >= 0)) project.changeImage(image);
      const jobs = project.jobs();
      const names = new Map(
        jobs.map((job) => [`${job.system} ${job.image}`, job.paths.map(({ path }) => path).join()]),
      );
      const open = jobs.filter(
        ({ system, image }) => names.get(`${system} ${image}`) !== built.get(`${system} ${image}`),
      );
      built = names;
      runs.push({ hour: week * HOURS_A_WEEK + hour, week, isPullRequest: false, jobs: open });
      for (let pull = 0; !isSeldom && pull < PULL_REQUESTS / MAIN_RUNS.length; pull += 1) {
        pulls += 1;
        const after = week * HOURS_A_WEEK + hour + 3 + pull * 8;
        runs.push({ hour: after, week, isPullRequest: true, jobs: project.pullRequest(numbers.below(IMAGES), pulls) });
      }
    }
  }
  return runs;
}

/** The same runs with paths of other sizes, so that all paths of the first run, which builds everything, have `live` bytes. */
export function scaledTo(live: number, runs: readonly Run[]): Run[] {
  const first = new Map(runs[0]?.jobs.flatMap(({ paths }) => paths.map((one) => [one.path, one.bytes] as const)));
  const scale = live / [...first.values()].reduce((sum, bytes) => sum + bytes, 0);
  const known = new Map<string, BuiltFact>();
  function scaled(one: BuiltFact): BuiltFact {
    const other = known.get(one.path) ?? { ...one, bytes: Math.max(1, Math.round(one.bytes * scale)) };
    known.set(one.path, other);
    return other;
  }
  return runs.map((run) => ({ ...run, jobs: run.jobs.map((job) => ({ ...job, paths: job.paths.map(scaled) })) }));
}
