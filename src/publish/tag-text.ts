import { UserError } from '../io/error.ts';

/** What stands for an expression: given what follows its name (`'YYYYMMDD'` of `{{date 'YYYYMMDD'}}`). */
export type Expressions = Readonly<Record<string, (argument: string) => string>>;

const EXPRESSION = /\{\{\s*([a-z_]+)\s*([^{}]*?)\s*\}\}/g;

/** Names of the expressions in a template. */
export const expressionsIn = (template: string): string[] =>
  [...template.matchAll(EXPRESSION)].map(([, name = '']) => name);

/**
 * A template with its `{{expressions}}` filled in. Throws UserError `input` for one that is not known, listing those that
 * are. `where` is the rule, for messages.
 */
export function fillIn(template: string, expressions: Expressions, where: string): string {
  const text = template.replaceAll(EXPRESSION, (whole, name: string, argument: string) => {
    const make = Object.hasOwn(expressions, name) ? expressions[name] : undefined;
    if (make === undefined) throw unknownExpression(whole, Object.keys(expressions), where);
    return make(argument);
  });
  if (!/\{\{|\}\}/.test(text)) return text;
  throw unknownExpression(template, Object.keys(expressions), where);
}

const unknownExpression = (text: string, known: readonly string[], where: string): UserError =>
  new UserError('input', `the tag rule ${where} has ${text}, which is no expression that it knows`, {
    hint: `Here it may have: ${known.map((name) => `{{${name}}}`).join(', ')}.`,
    docs: 'tags.md',
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
      hint: `Write {{date 'YYYYMMDD'}}: in quotes, of ${Object.keys(DATE_PARTS).join(', ')} and of what stands between them. It is in UTC.`,
      docs: 'tags.md',
    });
  }
  return format.replaceAll(/YYYY|MM|DD|HH|mm|ss/g, (part) => DATE_PARTS[part]?.(date) ?? '');
}

/** Each run of characters that no tag may have becomes one `-`: the branch `fix/a b` gives `fix-a-b`. */
export const tagText = (text: string): string => text.replaceAll(/[^A-Za-z0-9._-]+/g, '-');
