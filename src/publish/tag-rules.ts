import { UserError } from '../core/error.ts';
import { branchOf, type RunEvent } from '../github/event.ts';
import { dateText, type Expressions, fillIn } from './tag-text.ts';
import { parseVersion, versionText } from './tag-version.ts';

/** Keys and values of one rule. */
export type TagAttributes = Readonly<Record<string, string>>;

/** What the rules know of the run, and of the image whose tags they make. */
export interface TagFacts {
  /** Undefined outside a run, where only rules that do not ask for it can be followed. */
  readonly event: RunEvent | undefined;
  /** When the publish began. */
  readonly now: Date;
  /** The image's name; undefined where there is no single image yet. */
  readonly image?: string | undefined;
}

/** The same as one rule asks for it: `event` throws UserError `input` outside a run. */
export interface RuleFacts extends Omit<TagFacts, 'event'> {
  event(): RunEvent;
}

export interface Made {
  readonly tag: string;
  /** Whether `latest` goes with it, unless a line says otherwise. */
  readonly isLatest?: boolean;
}

export interface RuleType {
  /** Keys of its own with their defaults; undefined where they are required. */
  readonly keys: Readonly<Record<string, string | undefined>>;
  /** The values that a key may have, where they are a fixed set. */
  readonly allowed?: Readonly<Record<string, readonly string[]>>;
  /** Goes before the prefix that all rules have. */
  readonly prefix?: (attributes: TagAttributes) => string | undefined;
  /** The tag without prefix and suffix; undefined where the rule does not apply to the run. */
  readonly make: (attributes: TagAttributes, facts: RuleFacts, where: string) => Made | undefined;
}

const SHORT_COMMIT = 7;

export const gitTag = (ref: string): string | undefined => /^refs\/tags\/(.+)$/.exec(ref)?.[1];
const pullRequest = (ref: string): string | undefined => /^refs\/pull\/(\d+)\//.exec(ref)?.[1];

export const shortCommit = (commit: string): string => commit.slice(0, SHORT_COMMIT);

const asMade = (tag: string | undefined, more: Omit<Made, 'tag'> = {}): Made | undefined =>
  tag === undefined ? undefined : { tag, ...more };

/** Names that the other rules give: a branch of such a name would move the tag of a release or of a pull request. */
const isReserved = (branch: string): boolean =>
  /^(latest|edge|nightly|pr-\d+|sha-[0-9a-f]{7,40}|v?\d+(\.\d+){0,2})$/.test(branch) ||
  parseVersion(branch) !== undefined;

/** The git tag without what comes before the version in a repository of several (`app/v1.2.3`). */
function tagAfter(ref: string, prefix: string): string | undefined {
  const tag = gitTag(ref);
  return tag?.startsWith(prefix) ? tag.slice(prefix.length) : undefined;
}

const yesOrNo = ['true', 'false'];

/** By name, what docker/metadata-action calls `type`. */
export const RULE_TYPES = {
  ref: {
    keys: { event: undefined, reserved: 'move' },
    allowed: { event: ['branch', 'tag', 'pr'], reserved: ['move', 'skip'] },
    prefix: ({ event }) => (event === 'pr' ? 'pr-' : undefined),
    make: ({ event, reserved }, facts) => {
      const { ref } = facts.event();
      if (event === 'tag') return asMade(gitTag(ref), { isLatest: true });
      if (event === 'pr') return asMade(pullRequest(ref));
      const branch = branchOf(ref);
      return branch !== undefined && reserved === 'skip' && isReserved(branch) ? undefined : asMade(branch);
    },
  },
  semver: {
    keys: { pattern: undefined, value: '', 'tag-prefix': '' },
    make: ({ pattern = '', value, 'tag-prefix': prefix = '' }, { event }, where) => {
      const raw = value || tagAfter(event().ref, prefix);
      const version = raw === undefined ? undefined : parseVersion(raw);
      if (raw === undefined || version === undefined) return undefined;
      const whole = versionText(version);
      const { major, minor, patch, prerelease } = version;
      const parts = { raw, version: whole, major, minor, patch };
      const text = fillIn(pattern, expressionsOf(parts), where) ?? '';
      // A prerelease is not a `1.2` that others follow: any shorter pattern gives the whole version.
      return prerelease === undefined || text === raw ? { tag: text, isLatest: !prerelease } : { tag: whole };
    },
  },
  match: {
    keys: { pattern: undefined, group: '0', value: '' },
    make: ({ pattern = '', group = '0', value }, { event }, where) => {
      const found = matchOf(pattern, value || gitTag(event().ref), where)?.[Number(group)];
      return found === undefined || found === '' ? undefined : { tag: found, isLatest: true };
    },
  },
  edge: {
    keys: { branch: '' },
    make: ({ branch }, { event }) => {
      const { ref, defaultBranch } = event();
      const wanted = branch || defaultBranch;
      return wanted !== undefined && branchOf(ref) === wanted ? { tag: 'edge' } : undefined;
    },
  },
  sha: {
    keys: { format: 'short', head: 'false' },
    allowed: { format: ['short', 'long'], head: yesOrNo },
    prefix: () => 'sha-',
    make: ({ format, head }, { event }) => {
      const { commit: own, headCommit } = event();
      const commit = head === 'true' ? (headCommit ?? own) : own;
      return { tag: format === 'long' ? commit : shortCommit(commit) };
    },
  },
  schedule: {
    keys: { pattern: 'nightly' },
    make: ({ pattern = '' }, { event, now }, where) =>
      event().name === 'schedule'
        ? asMade(fillIn(pattern, { date: (format) => dateText(now, format, where) }, where))
        : undefined,
  },
  raw: {
    keys: { value: undefined },
    make: ({ value = '' }) => ({ tag: value }),
  },
} satisfies Record<string, RuleType>;

export type RuleName = keyof typeof RULE_TYPES;

export const RULE_NAMES = Object.keys(RULE_TYPES) as RuleName[];

/** Keys that every rule has. `priority` orders tags elsewhere; here they have no order. */
export const COMMON_KEYS = { enable: 'true', prefix: undefined, suffix: undefined, priority: undefined } as const;

const expressionsOf = (parts: Readonly<Record<string, string>>): Expressions =>
  Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, () => text]));

/** `/REGEXP/FLAGS` or a bare expression, as docker/metadata-action reads it. Throws UserError `input` for one that cannot be compiled. */
function matchOf(pattern: string, text: string | undefined, where: string): RegExpExecArray | null {
  const [, inner = pattern, flags = ''] = /^\/(.+)\/([a-z]*)$/.exec(pattern) ?? [];
  try {
    return text === undefined ? null : new RegExp(inner, flags.replaceAll(/[gy]/g, '')).exec(text);
  } catch (cause) {
    throw new UserError('input', `the tag rule ${where} has a pattern that is not a valid regular expression`, {
      hint: `${cause instanceof Error ? cause.message : String(cause)}.`,
      docs: 'tags.md#your-own',
      cause,
    });
  }
}
