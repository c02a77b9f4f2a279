/**
 * Keys of what the cache stores. The number changes when an older version could not read what is stored; it would see
 * nothing then, and leave alone what it does not know. GitHub takes keys of up to 512 characters without a comma.
 */
const PREFIX = 'nix-images-v1-';

/** What the keys of merged indexes begin with. */
export const INDEX_PREFIX = `${PREFIX}index-`;

const PACK_PREFIX = `${PREFIX}pack-`;
const PART_PREFIX = `${PREFIX}part-`;

/** The job that stores: which run of which workflow, which attempt of it, and which of its jobs. */
export interface JobAttempt {
  /** The run's number, or anything else that no other run has. */
  readonly run: string;
  readonly attempt: number;
  readonly system: string;
  /** What tells apart the run's jobs of one system. */
  readonly job: string;
}

/** Characters of one part of a key; a longer one is cut. */
const PART_LIMIT = 100;

/** Text as part of a key: GitHub refuses commas, tags of registries take letters, digits, `_`, `.` and `-`. */
const plain = (text: string): string => text.replace(/[^0-9A-Za-z_.]+/g, '_').slice(0, PART_LIMIT);

/** The key of a pack. Its content is in it, and the attempt: a reservation that was never finished blocks its key for good. */
export const packKey = (sha256: string, { run, attempt, system, job }: JobAttempt): string =>
  `${PACK_PREFIX}${sha256}-${[run, system, job, String(attempt)].map(plain).join('-')}`;

export const indexKey = ({ run, attempt }: Pick<JobAttempt, 'run' | 'attempt'>): string =>
  `${INDEX_PREFIX}${plain(run)}-${attempt}`;

/** What the keys of the indexes of a run's build jobs begin with. */
export const partsPrefix = (run: string): string => `${PART_PREFIX}${plain(run)}-`;

/** The same of one job, whatever the attempt. */
export const jobPrefix = ({ run, system, job }: Pick<JobAttempt, 'run' | 'system' | 'job'>): string =>
  `${partsPrefix(run)}${plain(system)}-${plain(job)}-`;

/** The key of a build job's own index. */
export const partKey = (attempt: JobAttempt): string => `${jobPrefix(attempt)}${attempt.attempt}`;

/** What an entry of this project holds; undefined for another tool's, and for another version's. */
export function kindOfKey(key: string): 'pack' | 'index' | 'part' | undefined {
  if (isPackKey(key)) return 'pack';
  if (isIndexKey(key)) return 'index';
  return key.startsWith(PART_PREFIX) ? 'part' : undefined;
}

export const isIndexKey = (key: string): boolean => key.startsWith(INDEX_PREFIX);

export const isPackKey = (key: string): boolean => /^nix-images-v1-pack-[0-9a-f]{64}-[0-9A-Za-z_.-]{1,408}$/.test(key);

/** Whether a pack was stored by a job of a run. */
export const isPackOfRun = (key: string, run: string): boolean =>
  isPackKey(key) && key.slice(PACK_PREFIX.length + 65).startsWith(`${plain(run)}-`);
