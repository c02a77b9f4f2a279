import { branchOf, type RunEvent } from '../github/event.ts';
import { UserError } from '../io/error.ts';
import { didYouMean } from '../io/nearest.ts';
import { checkTag, isTag, parseTag } from '../registry/reference.ts';
import { dateText, type Expressions, fillIn, tagText } from './tag-text.ts';
import { parseVersion, versionText } from './tag-version.ts';

/** Keys and values of one rule. */
type Attributes = Readonly<Record<string, string>>;

/** One line of the input `tag`: a tag as it is, or a rule that makes one from what started the run. */
export type TagLine =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'latest'; readonly mode: LatestMode }
  | { readonly kind: 'rule'; readonly text: string; readonly type: RuleName; readonly attributes: Attributes };

const LATEST_MODES = ['auto', 'true', 'false'] as const;
type LatestMode = (typeof LATEST_MODES)[number];

/** What the rules know of the run. */
export interface TagFacts {
  readonly event: RunEvent;
  /** When the publish began. */
  readonly now: Date;
}

interface Made {
  readonly tag: string;
  /** Whether `latest` goes with it, unless a line says otherwise. */
  readonly isLatest?: boolean;
}

interface RuleType {
  /** Keys of its own, with what they are unless given; undefined where they must be given. */
  readonly keys: Readonly<Record<string, string | undefined>>;
  /** The values that a key may have, where they are a fixed set. */
  readonly allowed?: Readonly<Record<string, readonly string[]>>;
  readonly prefix?: (attributes: Attributes) => string;
  /** The tag without prefix and suffix; undefined where the rule does not apply to the run. */
  readonly make: (attributes: Attributes, facts: TagFacts, where: string) => Made | undefined;
}

const SHORT_COMMIT = 7;
const LATEST = 'latest';

const gitTag = (ref: string): string | undefined => /^refs\/tags\/(.+)$/.exec(ref)?.[1];
const pullRequest = (ref: string): string | undefined => /^refs\/pull\/(\d+)\//.exec(ref)?.[1];

const asMade = (tag: string | undefined, more: Omit<Made, 'tag'> = {}): Made | undefined =>
  tag === undefined ? undefined : { tag, ...more };

/** By name, what docker/metadata-action calls `type`. */
const RULE_TYPES = {
  ref: {
    keys: { event: undefined },
    allowed: { event: ['branch', 'tag', 'pr'] },
    prefix: ({ event }) => (event === 'pr' ? 'pr-' : ''),
    make: ({ event }, { event: { ref } }) => {
      if (event === 'branch') return asMade(branchOf(ref));
      return event === 'tag' ? asMade(gitTag(ref), { isLatest: true }) : asMade(pullRequest(ref));
    },
  },
  semver: {
    keys: { pattern: undefined, value: '' },
    make: ({ pattern = '', value }, { event: { ref } }, where) => {
      const raw = value || gitTag(ref);
      const version = raw === undefined ? undefined : parseVersion(raw);
      if (raw === undefined || version === undefined) return undefined;
      const whole = versionText(version);
      const { major, minor, patch, prerelease } = version;
      const parts = { raw, version: whole, major, minor, patch };
      const text = fillIn(pattern, expressionsOf(parts), where);
      // A prerelease is no `1.2` that others follow: any shorter pattern gives the whole version.
      return prerelease === undefined || text === raw ? { tag: text, isLatest: !prerelease } : { tag: whole };
    },
  },
  sha: {
    keys: { format: 'short' },
    allowed: { format: ['short', 'long'] },
    prefix: () => 'sha-',
    make: ({ format }, { event: { commit } }) => ({ tag: format === 'long' ? commit : commit.slice(0, SHORT_COMMIT) }),
  },
  schedule: {
    keys: { pattern: 'nightly' },
    make: ({ pattern = '' }, { event, now }, where) =>
      event.name === 'schedule'
        ? { tag: fillIn(pattern, { date: (format) => dateText(now, format, where) }, where) }
        : undefined,
  },
  raw: {
    keys: { value: undefined },
    make: ({ value = '' }) => ({ tag: value }),
  },
} satisfies Record<string, RuleType>;

type RuleName = keyof typeof RULE_TYPES;

const RULE_NAMES = Object.keys(RULE_TYPES) as RuleName[];

const COMMON_KEYS = { enable: 'true', prefix: undefined, suffix: '' } as const;

const expressionsOf = (parts: Readonly<Record<string, string>>): Expressions =>
  Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, () => text]));

/** What any value of a rule but `pattern` may have. */
const globalExpressions = ({ event, now }: TagFacts, where: string): Expressions => ({
  branch: () => branchOf(event.ref) ?? '',
  tag: () => gitTag(event.ref) ?? '',
  base_ref: () => event.base ?? '',
  sha: () => event.commit.slice(0, SHORT_COMMIT),
  date: (format) => dateText(now, format, where),
  is_default_branch: () => {
    if (event.defaultBranch !== undefined) return String(branchOf(event.ref) === event.defaultBranch);
    throw new UserError('input', `the event's payload has no \`repository.default_branch\`, which ${where} asks for`, {
      hint: `The event is ${event.name}. Write enable=\${{ github.ref == 'refs/heads/main' }} instead.`,
    });
  },
});

const wrong = (what: string, hint: string): UserError => new UserError('input', what, { hint, docs: 'tags.md' });

/**
 * Reads one line: a literal tag, `latest=auto|true|false`, or a rule. What has a `=` is no tag and so is a rule. Throws
 * UserError `input` for a rule, key or value that is not known (listing what there is), `reference` for an illegal tag.
 */
export function parseTagLine(text: string): TagLine {
  if (!text.includes('=')) return { kind: 'tag', tag: parseTag(text) };
  const attributes = parseAttributes(text);
  const { latest, type, ...rest } = attributes;
  if (latest !== undefined && Object.keys(attributes).length === 1) {
    return { kind: 'latest', mode: oneOf(LATEST_MODES, latest, 'latest', text) };
  }
  if (type === undefined) throw wrong(`the tag rule ${text} has no type`, `Begin it with type=, one of: ${list()}.`);
  const name = RULE_NAMES.find((known) => known === type);
  if (name === undefined) {
    throw wrong(`the tag rule ${text} has the type ${type}`, `Use one of: ${list()}.${didYouMean(type, RULE_NAMES)}`);
  }
  const rule: RuleType = RULE_TYPES[name];
  const known: Readonly<Record<string, string | undefined>> = { ...rule.keys, ...COMMON_KEYS };
  for (const [key, value] of Object.entries(rest)) {
    if (!Object.hasOwn(known, key)) {
      const keys = Object.keys(known);
      throw wrong(
        `the tag rule ${text} has the key ${key}`,
        `type=${type} has: ${keys.join(', ')}.${didYouMean(key, keys)}`,
      );
    }
    if (rule.allowed?.[key]) oneOf(rule.allowed[key], value, key, text);
  }
  for (const [key, value] of Object.entries(rule.keys)) {
    if (value !== undefined || rest[key]) continue;
    const values = rule.allowed?.[key];
    throw wrong(`the tag rule ${text} has no ${key}`, `Add ,${key}=${values ? values.join('|') : '…'} to it.`);
  }
  return { kind: 'rule', text, type: name, attributes: rest };
}

const list = (): string => RULE_NAMES.join(', ');

function oneOf<T extends string>(values: readonly T[], value: string, key: string, where: string): T {
  const found = values.find((known) => known === value);
  if (found !== undefined) return found;
  throw wrong(`the tag rule ${where} has ${key}=${value}`, `${key} is one of: ${values.join(', ')}.`);
}

function parseAttributes(text: string): Attributes {
  const attributes: Record<string, string> = {};
  // A comma inside {{ }} belongs to the expression.
  for (const part of text.split(/,(?![^{]*\}\})/)) {
    const [, key, value = ''] = /^\s*([a-z]+)=(.*?)\s*$/.exec(part) ?? [];
    if (key === undefined) throw wrong(`the tag rule ${text} has the part ${part}`, 'Write each part as key=value.');
    if (Object.hasOwn(attributes, key)) throw wrong(`the tag rule ${text} has ${key} twice`, 'Leave one of them out.');
    attributes[key] = value;
  }
  return attributes;
}

/**
 * The tags that `lines` mean in a run, each once, in their order; none where no rule applies. `latest` goes with a git tag
 * (`type=ref,event=tag`) and with a released version (`type=semver`), unless a line `latest=true|false` decides. `facts`
 * is undefined outside a run. Throws UserError `input` for a rule that cannot be followed, `reference` for a tag that is too
 * long or begins with `.` or `-`.
 */
export function tagsOf(lines: readonly TagLine[], facts: TagFacts | undefined): string[] {
  const made = lines.flatMap((line) => (line.kind === 'latest' ? [] : (tagOf(line, facts) ?? [])));
  const mode = lines.find((line) => line.kind === 'latest')?.mode ?? 'auto';
  const isLatest = mode === 'true' || (mode === 'auto' && made.some((tag) => tag.isLatest));
  return [...new Set([...made.map(({ tag }) => tag), ...(isLatest && made.length > 0 ? [LATEST] : [])])];
}

function tagOf(line: Exclude<TagLine, { kind: 'latest' }>, facts: TagFacts | undefined): Made | undefined {
  if (line.kind === 'tag') return line;
  const { text: where, type } = line;
  if (facts === undefined) {
    throw wrong(`the tag rule ${where} needs the event of a workflow run, and this is none`, 'Name the tag itself.');
  }
  const rule: RuleType = RULE_TYPES[type];
  const expressions = globalExpressions(facts, where);
  const fill = (text: string): string => fillIn(text, expressions, where);
  const { enable = COMMON_KEYS.enable, pattern, ...rest } = line.attributes;
  if (oneOf(['true', 'false'], fill(enable), 'enable', where) === 'false') return undefined;
  const filled = Object.fromEntries(
    Object.entries({ ...defaults(rule), ...rest }).map(([key, text]) => [key, fill(text)]),
  );
  const attributes = { ...filled, pattern: pattern ?? rule.keys.pattern ?? '' };
  const made = rule.make(attributes, facts, where);
  if (made === undefined) return undefined;
  const prefix = filled.prefix ?? rule.prefix?.(attributes) ?? '';
  const tag = tagText(`${prefix}${made.tag}${filled.suffix ?? ''}`);
  if (!isTag(tag)) checkTag(tag, where);
  return { ...made, tag };
}

const defaults = ({ keys }: RuleType): Record<string, string> =>
  Object.fromEntries(
    Object.entries(keys).flatMap(([key, value]) => (value === undefined || key === 'pattern' ? [] : [[key, value]])),
  );
