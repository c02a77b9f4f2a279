import { SYSTEMS, type System } from '../image/system.ts';
import { UserError } from '../io/error.ts';
import { type Discovered, placeText } from '../nix/discover.ts';
import { type Candidate, judge } from './candidate.ts';
import { globFilter } from './filter.ts';
import { isContainer, type LeftOut, type PlannedImage } from './plan.ts';

export interface ImageFilter {
  /** Globs of names or attributes; see `globFilter`. */
  readonly images: readonly string[];
  readonly systems: readonly System[];
  readonly isFile: boolean;
}

export interface Chosen {
  readonly images: readonly PlannedImage[];
  readonly leftOut: readonly LeftOut[];
}

/** Where two attributes are one image, the name that says more is taken: `default` is an alias mostly. */
const isDefault = ({ job }: Candidate): boolean => /(^|\.)default$/.test(job.attr);

const before = (a: Candidate, b: Candidate): number =>
  a.rank - b.rank || Number(isDefault(a)) - Number(isDefault(b)) || (a.job.attr < b.job.attr ? -1 : 1);

/** Disk images go nowhere near a registry, so they may share a container's name. */
const groupOf = ({ name, job }: Candidate): string => `${name} ${isContainer(job) ? 'container' : 'disk'}`;

const grouped = <T>(items: readonly T[], by: (item: T) => string): T[][] => [...Map.groupBy(items, by).values()];

const twice = (name: string, first: Candidate, other: Candidate): UserError =>
  new UserError(
    'definition',
    `two images have the repository name ${name} for ${first.job.system}: ${first.job.attr} and ${other.job.attr}`,
    { hint: `Give each a name of its own, or leave one out: images: '!${other.job.attr}'.` },
  );

/** Of one name's candidates for one system the first; the others are left out. Throws UserError `definition`. */
function first(name: string, candidates: readonly Candidate[], leftOut: LeftOut[]): Candidate[] {
  const [taken, ...others] = [...candidates].sort(before);
  if (!taken) return [];
  for (const other of others) {
    const attr = other.job.attr;
    const isSame = other.job.key === taken.job.key;
    if (!isSame && other.rank === taken.rank) throw twice(name, taken, other);
    const why = isSame ? `is the same image as ${taken.job.attr}` : `${taken.job.attr} has its name and goes before it`;
    leftOut.push({ attr, why, broken: false });
  }
  return [taken];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The images among what was found, sorted by name, with their systems in the order of `SYSTEMS`; and what was left out.
 * Of several attributes of one name, that of the first output is taken. Throws UserError `definition` for a name that no
 * registry takes, or that two images of one output have.
 */
export function chooseImages(found: readonly Discovered[], { images, systems, isFile }: ImageFilter): Chosen {
  const passes = globFilter(images);
  const sorted = [...found].sort((a, b) => compare(placeText(a), placeText(b)));
  const judged = sorted.map((entry) => judge(entry, isFile, systems, passes)).filter((result) => result !== undefined);
  const leftOut = judged.flatMap((result) => ('leftOut' in result ? [result.leftOut] : []));
  const candidates = judged.flatMap((result) => ('candidate' in result ? [result.candidate] : []));
  const chosen = grouped(candidates, groupOf).map((group): PlannedImage => {
    const name = group[0]?.name ?? '';
    const taken = SYSTEMS.flatMap((system) =>
      first(
        name,
        group.filter(({ job }) => job.system === system),
        leftOut,
      ),
    );
    const why = [...new Set(taken.map((candidate) => candidate.why))].join('; ');
    const tag = taken.find((candidate) => candidate.tag !== null)?.tag ?? null;
    return { name, tag, why, jobs: taken.map(({ job }) => job) };
  });
  return { images: chosen.sort((a, b) => compare(a.name, b.name)), leftOut: unique(leftOut) };
}

/** A file's attribute is evaluated once for each system and may be broken for the same reason. */
const unique = (leftOut: readonly LeftOut[]): LeftOut[] => [
  ...new Map(leftOut.map((item) => [`${item.attr}\n${item.why}`, item])).values(),
];
