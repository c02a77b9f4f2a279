import { UserError } from '../core/error.ts';
import { didYouMean } from '../core/nearest.ts';
import { parseTag } from '../oci/reference.ts';
import { COMMON_KEYS, RULE_NAMES, RULE_TYPES, type RuleName, type RuleType, type TagAttributes } from './tag-rules.ts';

const LATEST_MODES = ['auto', 'true', 'false'] as const;
type LatestMode = (typeof LATEST_MODES)[number];

/** What all tags of rules have, as docker/metadata-action's input `flavor` says it: one setting a line. */
export type FlavorLine =
  | { readonly kind: 'latest'; readonly mode: LatestMode }
  | {
      readonly kind: 'prefix' | 'suffix';
      readonly value: string;
      /** Whether `latest` has it, too. */
      readonly onLatest: boolean;
    };

/** One line of the input `tags`: a tag as it is, a rule that makes one from what started the run, or what all of these have. */
export type TagLine =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'rule'; readonly text: string; readonly type: RuleName; readonly attributes: TagAttributes }
  | FlavorLine;

const wrong = (what: string, hint: string): UserError =>
  new UserError('input', what, { hint, docs: 'tags.md#your-own' });

/**
 * Reads one line: a literal tag, `latest=auto|true|false`, `prefix=…` or `suffix=…`, or a rule. What has a `=` is not a tag and so
 * is a rule. Throws UserError `input` for a rule, key or value that is not known (listing what there is), `reference` for a tag
 * that is not valid.
 */
export function parseTagLine(text: string): TagLine {
  if (!text.includes('=')) return { kind: 'tag', tag: parseTag(text) };
  const { type, ...rest } = parseAttributes(text);
  if (type === undefined) return parseFlavor(rest, text);
  const name = RULE_NAMES.find((known) => known === type);
  if (name === undefined) throw wrong(`the tag rule ${text} has the type ${type}`, typeHint(type));
  const rule: RuleType = RULE_TYPES[name];
  const known: Readonly<Record<string, string | undefined>> = { ...rule.keys, ...COMMON_KEYS };
  for (const [key, value] of Object.entries(rest)) {
    if (!Object.hasOwn(known, key)) {
      const keys = Object.keys(known);
      const hint = `type=${type} has: ${keys.join(', ')}.${didYouMean(key, keys)}`;
      throw wrong(`the tag rule ${text} has the key ${key}`, hint);
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

/** Types of docker/metadata-action that are not here, with what to write. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['pep440', 'Versions of Python are not read here: write type=match,pattern=… for the part that you want.'],
]);

const typeHint = (type: string): string =>
  ELSEWHERE.get(type) ?? `Use one of: ${RULE_NAMES.join(', ')}.${didYouMean(type, RULE_NAMES)}`;

const FLAVOR_KEYS = ['latest', 'prefix', 'suffix'] as const;

function parseFlavor({ onlatest = 'false', ...attributes }: TagAttributes, text: string): FlavorLine {
  const [[key, value] = ['', ''], ...more] = Object.entries(attributes);
  const kind = FLAVOR_KEYS.find((known) => known === key);
  if (kind === undefined || more.length > 0) {
    const hint = `Begin a rule with type=, one of: ${RULE_NAMES.join(', ')}. Lines without it are ${FLAVOR_KEYS.map((name) => `${name}=`).join(', ')}, each alone.`;
    throw wrong(`the tag rule ${text} has no type`, hint);
  }
  if (kind === 'latest') return { kind, mode: oneOf(LATEST_MODES, value, kind, text) };
  return { kind, value, onLatest: oneOf(['true', 'false'], onlatest, 'onlatest', text) === 'true' };
}

/** One of `values`. Throws UserError `input` that lists them. */
export function oneOf<T extends string>(values: readonly T[], value: string, key: string, where: string): T {
  const found = values.find((known) => known === value);
  if (found !== undefined) return found;
  throw wrong(`the tag rule ${where} has ${key}=${value}`, `${key} is one of: ${values.join(', ')}.`);
}

function parseAttributes(text: string): TagAttributes {
  const attributes = new Map<string, string>();
  // A comma inside {{ }} belongs to the expression.
  for (const part of text.split(/,(?![^{]*\}\})/)) {
    const [, key, value = ''] = /^([a-z][a-z-]*)=(.*)$/.exec(part.trim()) ?? [];
    if (key === undefined) throw wrong(`the tag rule ${text} has the part ${part}`, 'Write each part as key=value.');
    if (attributes.has(key)) throw wrong(`the tag rule ${text} has ${key} twice`, 'Leave one of them out.');
    attributes.set(key, value);
  }
  return Object.fromEntries(attributes);
}
