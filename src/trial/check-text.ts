import { EXPRESSION_FLAGS, type ExpectedText } from '../image/image-tests.ts';

/** How much of a text a message quotes, in characters. */
const QUOTED = 200;

/** What was stated and what was found; undefined where they agree. */
export interface Mismatch {
  readonly expected: string;
  readonly got: string;
}

export const quoted = (text: string): string =>
  text.length <= QUOTED
    ? JSON.stringify(text)
    : `${JSON.stringify(text.slice(0, QUOTED))}… (${text.length} characters)`;

/** The first thing stated of a text that does not hold; `what` names the text in the message. */
export function checkText(
  what: string,
  { equals, contains, matches }: ExpectedText,
  text: string,
): Mismatch | undefined {
  const got = text === '' ? `an empty ${what}` : `${what} ${quoted(text)}`;
  if (equals !== undefined && text !== equals) return { expected: `${what} equal to ${quoted(equals)}`, got };
  if (contains !== undefined && !text.includes(contains))
    return { expected: `${what} that contains ${quoted(contains)}`, got };
  if (matches !== undefined && !new RegExp(matches, EXPRESSION_FLAGS).test(text))
    return { expected: `${what} that matches /${matches}/${EXPRESSION_FLAGS}`, got };
  return undefined;
}
