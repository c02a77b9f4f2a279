import { UserError } from '../core/error.ts';

/**
 * What stands for an expression: given what follows its name (`'YYYYMMDD'` of `{{date 'YYYYMMDD'}}`). Undefined where the run
 * has no such thing, as a git tag has no branch.
 */
export type Expressions = Readonly<Record<string, (argument: string) => string | undefined>>;

const EXPRESSION = /\{\{([^{}]*)\}\}/g;

/** The name, and what follows it. */
const INSIDE = /^([a-z_]+)(.*)$/s;

/**
 * A template with its `{{expressions}}` filled in; undefined where the run has no value for one of them. Throws UserError
 * `input` for an expression that is not known, listing those that are. `where` is the rule, for messages.
 */
export function fillIn(template: string, expressions: Expressions, where: string): string | undefined {
  let isWhole = true;
  const text = template.replaceAll(EXPRESSION, (whole, inside: string) => {
    const [, name = '', argument = ''] = INSIDE.exec(inside.trim()) ?? [];
    const make = Object.hasOwn(expressions, name) ? expressions[name] : undefined;
    if (make === undefined) throw unknownExpression(whole, Object.keys(expressions), where);
    const value = make(argument.trim());
    isWhole &&= value !== undefined;
    // What an expression gives may have braces of its own: a branch may be called so.
    return value?.replaceAll(/[{}]+/g, '-') ?? '';
  });
  if (/\{\{|\}\}/.test(text)) throw unknownExpression(template, Object.keys(expressions), where);
  return isWhole ? text : undefined;
}

const unknownExpression = (text: string, known: readonly string[], where: string): UserError =>
  new UserError('input', `the tag rule ${where} has ${text}, which is not a known expression`, {
    hint: `Here it may have: ${known.map((name) => `{{${name}}}`).join(', ')}.`,
    docs: 'tags.md#patterns',
  });

/** Parts of a date, all in UTC: runners have no other zone. */
const DATE_PARTS: Readonly<Record<string, (date: Date) => string>> = {
  YYYY: (date) => String(date.getUTCFullYear()),
  MM: (date) => two(date.getUTCMonth() + 1),
  DD: (date) => two(date.getUTCDate()),
  HH: (date) => two(date.getUTCHours()),
  mm: (date) => two(date.getUTCMinutes()),
  ss: (date) => two(date.getUTCSeconds()),
};

const two = (value: number): string => String(value).padStart(2, '0');

/** `date` as `'YYYYMMDD-HHmmss'` says, in UTC. Throws UserError `input` for a format with other letters. */
export function dateText(date: Date, argument: string, where: string): string {
  const format = /^(['"])([^'"]+)\1$/.exec(argument)?.[2];
  const rest = format?.replaceAll(/YYYY|MM|DD|HH|mm|ss/g, '');
  if (format === undefined || rest === undefined || /[A-Za-z]/.test(rest)) {
    throw new UserError('input', `the tag rule ${where} has the date format ${argument || '(none)'}`, {
      hint: `Write {{date 'YYYYMMDD'}}: in quotes, from ${Object.keys(DATE_PARTS).join(', ')} and the characters between them. It is in UTC.`,
      docs: 'tags.md#patterns',
    });
  }
  return format.replaceAll(/YYYY|MM|DD|HH|mm|ss/g, (part) => DATE_PARTS[part]?.(date) ?? '');
}

/** Each run of characters that no tag may have becomes one `-`: the branch `fix/a b` gives `fix-a-b`. */
export const tagText = (text: string): string => text.replaceAll(/[^A-Za-z0-9._-]+/g, '-');
