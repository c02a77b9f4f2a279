import type { Decision } from '../../../src/prune/decide.ts';
import { type Policy, parseKeepLast, parseMaxAge, parseTagPattern } from '../../../src/prune/policy.ts';
import type { Prunable } from '../../../src/prune/prunable.ts';
import { goingNames } from '../../../src/prune/prune-plan.ts';

export const DAY = 86_400_000;

/** A time from which ages are counted. */
export const NOW = Date.parse('2026-06-01T00:00:00Z');

/** A digest of one letter, so that tests can be read. */
export const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

/** The tag under which clients list what refers to a manifest. */
export const listTag = (letter: string, suffix = ''): string => `sha256-${letter.repeat(64)}${suffix}`;

interface Written {
  readonly names?: readonly string[];
  /** Days before NOW; null where nothing says. */
  readonly age?: number | null;
  readonly needs?: readonly string[];
  readonly about?: readonly string[];
}

/** An item under the digest of a letter. It stores 100 bytes of its own. */
export const item = (letter: string, { names = [], age = 0, needs = [], about = [] }: Written = {}): Prunable => ({
  id: digest(letter),
  names,
  time: age === null ? undefined : NOW - age * DAY,
  needs: needs.map(digest),
  about: about.map(digest),
  stored: new Map([[digest(letter), 100]]),
});

interface PolicyText {
  readonly keepLast?: readonly string[];
  readonly maxAge?: readonly string[];
  readonly keepTags?: readonly string[];
  readonly untagged?: number;
  readonly closedPreviews?: boolean;
  readonly keepHistory?: number;
}

export const policyOf = (text: PolicyText): Policy => ({
  keepLast: (text.keepLast ?? []).map(parseKeepLast),
  maxAge: (text.maxAge ?? []).map(parseMaxAge),
  keepTags: (text.keepTags ?? []).map(parseTagPattern),
  untagged: text.untagged === undefined ? undefined : text.untagged * DAY,
  closedPreviews: text.closedPreviews ?? false,
  keepHistory: text.keepHistory ?? 1,
});

/** Letters of what goes, and tags that are taken from what stays. */
export const gone = (decisions: readonly Decision[]): string[] =>
  decisions.flatMap((one) => (one.goes ? [one.item.id.at(-1) ?? ''] : goingNames(one)));
