import { globFilter } from '../core/glob.ts';
import { type Discovered, placeText } from '../nix/discover.ts';
import { isSystem, SYSTEMS, type System } from '../oci/system.ts';
import { type Candidate, classify, type Rejected } from './candidate.ts';
import { isContainer, type LeftOut, type MissingSystem, type PlannedImage, type Problem } from './plan.ts';
import type { PlanSource } from './source.ts';

interface ImageFilter {
  /** Globs of names or attributes; see `globFilter`. */
  readonly images: readonly string[];
  readonly systems: readonly System[];
  readonly source: PlanSource;
}

export interface Chosen {
  readonly images: readonly PlannedImage[];
  readonly leftOut: readonly LeftOut[];
  readonly problems: readonly Problem[];
}

/** Where two attributes are one image, the name that says more is taken: `default` is an alias mostly. */
const isDefault = ({ job }: Candidate): boolean => /(^|\.)default$/.test(job.attr);

const isCross = ({ job }: Candidate): boolean => job.buildSystem !== null;

const before = (a: Candidate, b: Candidate): number =>
  a.rank - b.rank ||
  Number(isCross(a)) - Number(isCross(b)) ||
  Number(isDefault(a)) - Number(isDefault(b)) ||
  compare(a.job.attr, b.job.attr);

const grouped = <T>(items: readonly T[], by: (item: T) => string): T[][] => [...Map.groupBy(items, by).values()];

/** Of one name's candidates for one system the first, those that are left out for it, and those that contend with it. */
interface Contest {
  readonly taken: Candidate;
  readonly leftOut: readonly LeftOut[];
  readonly rivals: readonly Candidate[];
}

/** Why another image of the same name and system is left out; undefined where nothing decides between the two. */
function whyLeftOut(taken: Candidate, other: Candidate): string | undefined {
  if (other.job.key === taken.job.key) return `is the same image as ${taken.job.attr}`;
  if (other.rank !== taken.rank) return `${taken.job.attr} has its name and goes before it`;
  if (isCross(taken) === isCross(other)) return undefined;
  return `${taken.job.attr} has its name and is built on ${taken.job.system} itself`;
}

function contest(candidates: readonly Candidate[]): Contest | undefined {
  const [taken, ...others] = [...candidates].sort(before);
  if (!taken) return undefined;
  const classified = others.map((other) => ({ other, why: whyLeftOut(taken, other) }));
  return {
    taken,
    leftOut: classified.flatMap(({ other, why }) =>
      why === undefined ? [] : [{ attr: other.job.attr, why, broken: false, image: true }],
    ),
    rivals: classified.flatMap(({ other, why }) => (why === undefined ? [other] : [])),
  };
}

/**
 * What of one name's candidates is a container image, or what is a disk: a repository holds one of both, that of the first output. `rivals` are
 * those of which nothing decides.
 */
function ofOneKind(candidates: readonly Candidate[]): {
  readonly kept: readonly Candidate[];
  readonly leftOut: readonly LeftOut[];
  readonly rival: Contest | undefined;
} {
  const [first] = [...candidates].sort(before);
  const isKept = ({ job }: Candidate): boolean => first !== undefined && isContainer(job) === isContainer(first.job);
  const [kept, others] = [candidates.filter(isKept), candidates.filter((one) => !isKept(one))];
  const [other] = [...others].sort(before);
  if (first === undefined || other === undefined) return { kept, leftOut: [], rival: undefined };
  if (other.rank === first.rank) return { kept, leftOut: [], rival: { taken: first, leftOut: [], rivals: [other] } };
  const why = `${first.job.attr}, ${isContainer(first.job) ? 'a container image' : 'a disk'}, has its name and goes before it`;
  return {
    kept,
    leftOut: others.map(({ job }) => ({ attr: job.attr, why, broken: false, image: true })),
    rival: undefined,
  };
}

/** One problem for a name, whatever the number of systems and attributes that it has. */
function twice(name: string, contests: readonly Contest[]): Problem {
  const places = contests.map(({ taken, rivals }) => {
    const attrs = [taken, ...rivals].map(({ job }) => job.attr);
    return `for ${taken.job.system}: ${attrs.slice(0, -1).join(', ')} and ${attrs.at(-1)}`;
  });
  const [other] = contests.flatMap(({ rivals }) => rivals);
  return {
    name,
    why: `two images have the repository name ${name} ${places.join('; ')}`,
    hint: `Give each a name of its own, or leave one out: images: '!${other?.job.attr}'.`,
  };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The images among what was found, sorted by name, with their systems in the order of `SYSTEMS`; what was left out; and the
 * names that cannot be planned, because no registry takes them or several images have them. Of several attributes of
 * one name, that of the first output is taken; of one output's, that which is not cross-compiled. `missing` of an image
 * are its systems that do not evaluate.
 */
export function chooseImages(found: readonly Discovered[], { images, systems, source }: ImageFilter): Chosen {
  const isFile = source.file !== null;
  const passes = globFilter(images);
  const sorted = [...found].sort((a, b) => compare(placeText(a), placeText(b)));
  const classified = sorted
    .map((entry) => classify(entry, isFile, systems, passes))
    .filter((result) => result !== undefined);
  const candidates = classified.flatMap((result) => ('candidate' in result ? [result.candidate] : []));
  const patterns = new Set(candidates.map(({ pattern }) => pattern));
  const left = classified
    .flatMap((result) => ('leftOut' in result ? [result] : []))
    .map((one) => ({ ...one, leftOut: { ...one.leftOut, image: one.leftOut.image || patterns.has(one.pattern) } }));
  const leftOut = left.map((one) => one.leftOut);
  const problems = classified.flatMap((result) => ('problem' in result ? [result.problem] : []));
  const chosen = grouped(candidates, ({ name }) => name).flatMap((group): PlannedImage[] => {
    const name = group[0]?.name ?? '';
    const { kept, rival, leftOut: ofOtherKind } = ofOneKind(group);
    const contests = SYSTEMS.flatMap((system) => contest(kept.filter(({ job }) => job.system === system)) ?? []);
    leftOut.push(...ofOtherKind, ...contests.flatMap((one) => one.leftOut));
    const undecided = rival ? [rival] : contests.filter(({ rivals }) => rivals.length > 0);
    if (undecided.length > 0) {
      problems.push(twice(name, undecided));
      return [];
    }
    const taken = contests.map((one) => one.taken);
    return [{ ...imageOf(name, taken, left), source }];
  });
  return {
    images: chosen.sort((a, b) => compare(a.name, b.name)),
    leftOut: unique(leftOut),
    problems: unique(problems),
  };
}

function imageOf(name: string, taken: readonly Candidate[], left: readonly Rejected[]): Omit<PlannedImage, 'source'> {
  const why = [...new Set(taken.map((candidate) => candidate.why))].join('; ');
  const tag = taken.find((candidate) => candidate.tag !== null)?.tag ?? null;
  const jobs = taken.map(({ job }) => job);
  const patterns = new Set(taken.map(({ pattern }) => pattern));
  const missing = left.flatMap(({ leftOut, pattern, system }): MissingSystem[] =>
    leftOut.broken && isSystem(system) && patterns.has(pattern) && !jobs.some((job) => job.system === system)
      ? [{ system, why: `${leftOut.attr}: ${leftOut.why}` }]
      : [],
  );
  return { name, tag, why, jobs, missing };
}

/** A file's attribute is evaluated once for each system and may be broken for the same reason. */
const unique = <T>(items: readonly T[]): T[] => [
  ...new Map(items.map((item) => [JSON.stringify(item), item])).values(),
];
