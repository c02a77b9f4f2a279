import { UserError } from '../core/error.ts';
import { branchOf } from '../github/event.ts';
import { checkTag, isTag } from '../oci/reference.ts';
import { type FlavorLine, oneOf, type TagLine } from './tag-lines.ts';
import {
  COMMON_KEYS,
  gitTag,
  type Made,
  RULE_TYPES,
  type RuleFacts,
  type RuleType,
  shortCommit,
  type TagFacts,
} from './tag-rules.ts';
import { dateText, type Expressions, fillIn, tagText } from './tag-text.ts';

const LATEST = 'latest';

/** The tags of a run, and the rules that gave none because what they gave is not a valid tag. */
interface RunTags {
  /** Each once, in the order of the lines. */
  readonly tags: readonly string[];
  readonly skipped: readonly { readonly rule: string; readonly tag: string }[];
}

/**
 * The tags that `lines` mean in a run; none where no rule applies. `latest` goes with a git tag (`type=ref,event=tag`,
 * `type=match`) and with a released version (`type=semver`), unless a line `latest=true|false` decides. A rule whose tag is not
 * valid (a branch of 140 characters, or in another script) is skipped where others give one. Throws UserError `input` for a
 * rule that cannot be followed and for lines of which none can give a tag, `reference` where no tag is left but those that
 * are not valid.
 */
export function tagsOf(lines: readonly TagLine[], facts: TagFacts): RunTags {
  const flavor = lines.filter((line) => line.kind !== 'tag' && line.kind !== 'rule');
  if (lines.length > 0 && flavor.length === lines.length) throw onlyFlavor(flavor);
  const made = lines.flatMap((line) => {
    if (line.kind === 'tag') return [{ rule: line.tag, tag: line.tag, isLatest: false }];
    return line.kind === 'rule' ? ruleTags(line, flavor, facts) : [];
  });
  const valid = made.filter(({ tag }) => isTag(tag));
  const skipped = made.filter(({ tag }) => !isTag(tag));
  const [first] = skipped;
  if (valid.length === 0 && first) checkTag(first.tag, first.rule);
  const mode = flavor.find((line) => line.kind === 'latest')?.mode ?? 'auto';
  const isLatest = mode === 'true' || (mode === 'auto' && valid.some((tag) => tag.isLatest));
  const latest = isLatest && valid.length > 0 ? [withFlavor(LATEST, flavor.filter(onLatest), facts)] : [];
  return {
    tags: [...new Set([...valid.map(({ tag }) => tag), ...latest])],
    skipped: skipped.map(({ rule, tag }) => ({ rule, tag })),
  };
}

/** A publish would move nothing, in every run, and say so in none. */
function onlyFlavor(flavor: readonly FlavorLine[]): UserError {
  const isLatest = flavor.some((line) => line.kind === 'latest' && line.mode === 'true');
  const written = flavor.map((line) => (line.kind === 'latest' ? `latest=${line.mode}` : `${line.kind}=${line.value}`));
  return new UserError('input', `tags: ${written.join(', ')} only changes other lines, and there are none`, {
    hint: isLatest
      ? 'Write latest for that tag in every run, or add a rule such as type=ref,event=branch.'
      : 'Add a tag, or a rule such as type=ref,event=branch.',
    docs: 'tags.md#for-all-rules',
  });
}

const onLatest = (line: FlavorLine): boolean => line.kind !== 'latest' && line.onLatest;

const flavorOf = (kind: 'prefix' | 'suffix', flavor: readonly FlavorLine[]): string =>
  flavor.flatMap((line) => (line.kind === kind ? [line.value] : [])).join('');

function withFlavor(text: string, flavor: readonly FlavorLine[], facts: TagFacts): string {
  const where = `${flavorOf('prefix', flavor)}…${flavorOf('suffix', flavor)}`;
  const template = `${flavorOf('prefix', flavor)}${text}${flavorOf('suffix', flavor)}`;
  return tagText(fillIn(template, globalExpressions(askedBy(where, facts), where), where) ?? text);
}

/** What a rule may ask for, where the rule `where` is the one that asks. */
const askedBy = (where: string, { event, ...facts }: TagFacts): RuleFacts => ({
  ...facts,
  event: () => {
    if (event !== undefined) return event;
    throw new UserError('input', `the tag rule ${where} needs the event of a workflow run, and this is not one`, {
      hint: 'Name the tag itself, or give the rule a value= where it takes one.',
      docs: 'tags.md#on-the-command-line',
    });
  },
});

function ruleTags(
  { text: where, type, attributes: written }: Extract<TagLine, { kind: 'rule' }>,
  flavor: readonly FlavorLine[],
  given: TagFacts,
): (Made & { readonly rule: string })[] {
  const facts = askedBy(where, given);
  const rule: RuleType = RULE_TYPES[type];
  const expressions = globalExpressions(facts, where);
  const { enable = COMMON_KEYS.enable, pattern, priority: _, ...rest } = written;
  // A rule that asks for what the run does not have, such as the branch of a git tag, does not apply to it.
  if (oneOf(['true', 'false'], fillIn(enable, expressions, where) ?? 'false', 'enable', where) === 'false') return [];
  const attributes: Record<string, string> = { pattern: pattern ?? rule.keys.pattern ?? '' };
  for (const [key, template] of Object.entries({ ...defaults(rule), ...rest })) {
    const text = fillIn(template, expressions, where);
    if (text === undefined) return [];
    attributes[key] = text;
  }
  const made = rule.make(attributes, facts, where);
  if (made === undefined) return [];
  const prefix = attributes.prefix ?? rule.prefix?.(attributes) ?? flavorOf('prefix', flavor);
  const whole = fillIn(
    `${prefix}{{made}}${attributes.suffix ?? flavorOf('suffix', flavor)}`,
    { ...expressions, made: () => made.tag },
    where,
  );
  return whole === undefined ? [] : [{ ...made, rule: where, tag: tagText(whole) }];
}

/** What any value of a rule but `pattern` may have. */
function globalExpressions({ event, now, image }: RuleFacts, where: string): Expressions {
  const isDefaultBranch = (): boolean => {
    const { name, ref, defaultBranch } = event();
    if (defaultBranch !== undefined) return branchOf(ref) === defaultBranch;
    throw new UserError('input', `the event's payload has no \`repository.default_branch\`, which ${where} asks for`, {
      hint: `The event is ${name}. Write enable=\${{ github.ref == 'refs/heads/main' }} instead.`,
    });
  };
  return {
    name: () => image?.slice(image.lastIndexOf('/') + 1),
    branch: () => branchOf(event().ref),
    tag: () => gitTag(event().ref),
    base_ref: () => event().base,
    sha: () => shortCommit(event().commit),
    date: (format) => dateText(now, format, where),
    is_default_branch: () => String(isDefaultBranch()),
    is_not_default_branch: () => String(!isDefaultBranch()),
  };
}

const defaults = ({ keys }: RuleType): Record<string, string> =>
  Object.fromEntries(
    Object.entries(keys).flatMap(([key, value]) => (value === undefined || key === 'pattern' ? [] : [[key, value]])),
  );
