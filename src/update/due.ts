import { z } from 'zod';
import { countText } from '../core/count.ts';
import { decodeJson } from '../core/decode-json.ts';
import { packageOf } from '../diff/package-name.ts';

/** What is published of an image. */
export interface PublishedState {
  readonly name: string;
  /** When it was made, in milliseconds since 1970; null where it does not say. */
  readonly created: number | null;
  /** Store paths in it. */
  readonly paths: readonly string[];
}

const advisorySchema = z.looseObject({
  pname: z.string().min(1),
  version: z.string(),
  affected_by: z.array(z.string()).min(1),
});

/** A version of a package that should not be published any longer. */
export type Advisory = Readonly<z.infer<typeof advisorySchema>>;

/** Reads advisories in the shape that `vulnix --json` prints. Throws UserError `input`. */
export const parseAdvisories = (text: string, what: string): Advisory[] =>
  decodeJson(text, z.array(advisorySchema), {
    code: 'input',
    what,
    hint: 'Give a list as `vulnix --json` prints it: [{"pname":"openssl","version":"3.0.15","affected_by":["CVE-2026-0001"]}].',
  });

const DAY = 24 * 3600 * 1000;

/** Days from which a published image is too old; no limit where it is undefined. */
interface DueOptions {
  readonly maxAge: number | undefined;
  readonly advisories: readonly Advisory[];
  readonly now: number;
}

/** Findings of one image that are named; the rest is counted. */
const MOST_NAMED = 5;

/**
 * Why what is published is to be made again although nothing of its sources changed, as lines; none where it is not. Age counts, not the
 * weekday: schedules come late, or not at all.
 */
export const dueReasons = (images: readonly PublishedState[], options: DueOptions): string[] =>
  images.flatMap((image) => [...tooOld(image, options), ...affected(image, options.advisories)]);

function tooOld({ name, created }: PublishedState, { maxAge, now }: DueOptions): string[] {
  if (maxAge === undefined || created === null) return [];
  const days = Math.floor((now - created) / DAY);
  return days >= maxAge ? [`${name} was made ${countText(days, 'day')} ago`] : [];
}

function affected({ name, paths }: PublishedState, advisories: readonly Advisory[]): string[] {
  const packages = new Set(paths.map(packageOf).map((found) => `${found.name}-${found.version}`));
  const found = advisories.filter(({ pname, version }) => packages.has(`${pname}-${version}`));
  const words = found.map(({ pname, version, affected_by }) => `${pname} ${version} (${affected_by.join(', ')})`);
  if (words.length === 0) return [];
  const more = words.length > MOST_NAMED ? ` and ${words.length - MOST_NAMED} more` : '';
  return [`${name} has ${words.slice(0, MOST_NAMED).join(', ')}${more}`];
}
