import { withinTime } from '../core/time-limit.ts';
import { EXPRESSION_FLAGS, type ExpectedText } from '../definition/image-tests.ts';

/** How much of a text a message quotes, in characters. */
const QUOTED = 200;

/** Milliseconds that an expression may take: those that do not go astray take microseconds for all that is kept of a text. */
const MATCH_TIME = 2000;

/** What was stated and what was found; undefined where they agree. */
export interface Mismatch {
  readonly expected: string;
  readonly got: string;
}

const quoted = (text: string): string =>
  text.length <= QUOTED
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, QUOTED))}… (${text.length} characters)`;

/** What is stated of a text, all of it, as messages say it; `what` names the text. */
export function describeText(what: string, { equals, contains, matches }: ExpectedText): string {
  const parts = [
    ...(equals === undefined ? [] : [`is ${quoted(equals)}`]),
    ...(contains === undefined ? [] : [`contains ${quoted(contains)}`]),
    ...(matches === undefined ? [] : [`matches /${matches}/${EXPRESSION_FLAGS}`]),
  ];
  return `${what} that ${parts.join(' and ')}`;
}

/** The first thing stated of a text that does not hold; `what` names the text in the message, `matchTime` is in milliseconds. */
export function checkText(
  what: string,
  { equals, contains, matches }: ExpectedText,
  text: string,
  matchTime = MATCH_TIME,
): Mismatch | undefined {
  const got = text === '' ? `an empty ${what}` : `${what} ${quoted(text)}`;
  if (equals !== undefined && text !== equals) return { expected: `${what} equal to ${quoted(equals)}`, got };
  if (contains !== undefined && !text.includes(contains))
    return { expected: `${what} that contains ${quoted(contains)}`, got };
  if (matches === undefined) return undefined;
  const expression = new RegExp(matches, EXPRESSION_FLAGS);
  const found = withinTime(matchTime, () => expression.test(text));
  if (found?.value) return undefined;
  const expected = `${what} that matches /${matches}/${EXPRESSION_FLAGS}`;
  return { expected, got: found ? got : `${got}, on which the expression found no end within ${matchTime / 1000} s` };
}
