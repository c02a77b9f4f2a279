import { parseAge } from '../core/age.ts';
import { UserError } from '../core/error.ts';
import { globMatches } from '../core/glob.ts';
import { isRange, parseRange } from './version-range.ts';

/** Which tags a line is about. */
interface TagPattern {
  /** As it was written. */
  readonly text: string;
  readonly matches: (tag: string) => boolean;
}

/** A number, or an age in milliseconds, for the tags of a pattern. */
export interface Limit {
  readonly value: number;
  /** As it was written. */
  readonly text: string;
  readonly tags: TagPattern;
}

/** What is to be kept, and what goes. */
export interface Policy {
  /** The newest so many images of the tags that match are kept; the others go. */
  readonly keepLast: readonly Limit[];
  /** Images that are younger are kept; the others go. */
  readonly maxAge: readonly Limit[];
  /** Milliseconds since the last use for which a thing stays, where its place says when it was used; undefined: use keeps nothing. */
  readonly used?: number | undefined;
  /** Tags that stay whatever else is said. */
  readonly keepTags: readonly TagPattern[];
  /** Milliseconds after which what has no tag, and belongs to nothing that has one, goes; undefined: never. */
  readonly untagged: number | undefined;
  /** Whether previews of closed pull requests go. */
  readonly closedPreviews: boolean;
  /** Of each channel that stays, so many images that it meant before stay too, for a rollback. */
  readonly keepHistory: number;
}

/** Names of caches and git tags have more in them than tags of images. */
const NAME = /^[^\s\p{C}]{1,512}$/u;

const EVERY: TagPattern = { text: '*', matches: () => true };

/** Reads a glob (`v*`, `main-?`) or a range of versions (`>=1.2 <3`). Throws UserError `input`. */
export function parseTagPattern(text: string): TagPattern {
  if (isRange(text)) return { text, matches: parseRange(text) };
  if (!NAME.test(text)) {
    throw new UserError('input', `${JSON.stringify(text)} is not a valid pattern of names`, {
      hint: 'Write a name, a glob such as v* or main-?, or a range of versions such as >=1.2.',
      docs: 'retention.md#rules',
    });
  }
  return { text, matches: (tag) => globMatches(text, tag) };
}

const LIMIT = /^(\S+)(?:\s+of\s+(.+))?$/;

function parseLimit(text: string, parseValue: (value: string) => number): Limit {
  const [, value = text, pattern] = LIMIT.exec(text) ?? [];
  return { value: parseValue(value), text, tags: pattern === undefined ? EVERY : parseTagPattern(pattern.trim()) };
}

function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new UserError('input', `${JSON.stringify(text)} is not a valid number of images`, {
    hint: 'Write how many are kept: 10, or 5 of nightly-*.',
    docs: 'retention.md#rules',
  });
}

/** Reads `10` or `5 of nightly-*`. Throws UserError `input`. */
export const parseKeepLast = (text: string): Limit => parseLimit(text, parseCount);

/** Reads `90d` or `14d of sha-*`. Throws UserError `input`. */
export const parseMaxAge = (text: string): Limit => parseLimit(text, parseAge);

/** Throws UserError `input` for a policy by which nothing can go. */
export function checkPolicy({ keepLast, maxAge, untagged, closedPreviews }: Policy): void {
  if (keepLast.length > 0 || maxAge.length > 0 || untagged !== undefined || closedPreviews) return;
  throw new UserError('input', 'the policy removes nothing', {
    hint: 'Say what goes: keep-last, max-age, untagged or closed-previews. keep-tags says only what stays.',
    docs: 'retention.md#rules',
  });
}
