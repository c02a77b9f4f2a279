import { withinTime } from '../core/time-limit.ts';
import { EXPRESSION_FLAGS, type ExpectedText } from '../definition/image-tests.ts';
import type { ConsoleView } from './console.ts';

/** Milliseconds that an expression may take for all that is kept of a console, as in tests of images. */
const MATCH_TIME = 2000;

/**
 * Where a text that is stated ends in a console, counted from the console's beginning: of `contains` and `matches` the later
 * one. Undefined where it is not there from `from` on, `endless` where the expression took longer
 * than `matchTime` milliseconds.
 */
export function findText(
  { contains, matches }: ExpectedText,
  { text, start }: ConsoleView,
  from: number,
  matchTime = MATCH_TIME,
): number | 'endless' | undefined {
  const at = Math.max(0, from - start);
  let end = from;
  if (contains !== undefined) {
    const found = text.indexOf(contains, at);
    if (found < 0) return undefined;
    end = start + found + contains.length;
  }
  if (matches === undefined) return end;
  const expression = new RegExp(matches, `${EXPRESSION_FLAGS}g`);
  // Not from a slice, at whose beginning ^ would hold.
  expression.lastIndex = at;
  const found = withinTime(matchTime, () => expression.exec(text));
  if (!found) return 'endless';
  return found.value ? Math.max(end, start + found.value.index + found.value[0].length) : undefined;
}
