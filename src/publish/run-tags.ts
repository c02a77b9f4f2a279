import { UserError } from '../core/error.ts';
import { branchOf } from '../github/event.ts';
import { checkTag, isTag } from '../oci/reference.ts';
import { type FlavorLine, oneOf, type TagLine } from './tag-lines.ts';
import { COMMON_KEYS, gitTag, type Made, RULE_TYPES, type RuleType, shortCommit, type TagFacts } from './tag-rules.ts';
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
 * valid (a branch of 140 characters, or in another script) is skipped where others give one. `facts` is undefined outside a
 * run. Throws UserError `input` for a rule that cannot be followed, `reference` where no tag is left but those that are
 * not valid.
 */
export function tagsOf(lines: readonly TagLine[], facts: TagFacts | undefined): RunTags {
  const flavor = lines.filter((line) => line.kind !== 'tag' && line.kind !== 'rule');
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

const onLatest = (line: FlavorLine): boolean => line.kind !== 'latest' && line.onLatest;

const flavorOf = (kind: 'prefix' | 'suffix', flavor: readonly FlavorLine[]): string =>
  flavor.flatMap((line) => (line.kind === kind ? [line.value] : [])).join('');

function withFlavor(text: string, flavor: readonly FlavorLine[], facts: TagFacts | undefined): string {
  const where = `${flavorOf('prefix', flavor)}…${flavorOf('suffix', flavor)}`;
  const template = `${flavorOf('prefix', flavor)}${text}${flavorOf('suffix', flavor)}`;
  return tagText((facts ? fillIn(template, globalExpressions(facts, where), where) : template) ?? text);
}

function ruleTags(
  { text: where, type, attributes: given }: Extract<TagLine, { kind: 'rule' }>,
  flavor: readonly FlavorLine[],
  facts: TagFacts | undefined,
): (Made & { readonly rule: string })[] {
  if (facts === undefined) {
    throw new UserError('input', `the tag rule ${where} needs the event of a workflow run, and this is not one`, {
      hint: 'Name the tag itself.',
      docs: 'tags.md',
    });
  }
  const rule: RuleType = RULE_TYPES[type];
  const expressions = globalExpressions(facts, where);
  const { enable = COMMON_KEYS.enable, pattern, priority: _, ...rest } = given;
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
const globalExpressions = ({ event, now, image }: TagFacts, where: string): Expressions => {
  const isDefaultBranch = (): boolean => {
    if (event.defaultBranch !== undefined) return branchOf(event.ref) === event.defaultBranch;
    throw new UserError('input', `the event's payload has no \`repository.default_branch\`, which ${where} asks for`, {
      hint: `The event is ${event.name}. Write enable=\${{ github.ref == 'refs/heads/main' }} instead.`,
    });
  };
  return {
    name: () => image?.slice(image.lastIndexOf('/') + 1),
    branch: () => branchOf(event.ref),
    tag: () => gitTag(event.ref),
    base_ref: () => event.base,
    sha: () => shortCommit(event.commit),
    date: (format) => dateText(now, format, where),
    is_default_branch: () => String(isDefaultBranch()),
    is_not_default_branch: () => String(!isDefaultBranch()),
  };
};

const defaults = ({ keys }: RuleType): Record<string, string> =>
  Object.fromEntries(
    Object.entries(keys).flatMap(([key, value]) => (value === undefined || key === 'pattern' ? [] : [[key, value]])),
  );
