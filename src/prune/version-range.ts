import { UserError } from '../core/error.ts';

/** Major, minor and patch. */
type Release = readonly [number, number, number];

/** Whether a tag is a version in a range. */
type InRange = (tag: string) => boolean;

const NUMBER = '(0|[1-9]\\d{0,8})';
const TAG = new RegExp(`^v?${NUMBER}(?:\\.${NUMBER})?(?:\\.${NUMBER})?$`);
const COMPARATOR = new RegExp(`^(>=|<=|>|<|=|\\^|~)v?${NUMBER}(?:\\.${NUMBER})?(?:\\.${NUMBER})?$`);

function compare(a: Release, b: Release): number {
  const at = a.findIndex((part, index) => part !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** The first release above all those that `parts` is the beginning of. */
function above(parts: readonly number[]): Release {
  const [major = 0, minor = 0, patch = 0] = parts;
  if (parts.length === 1) return [major + 1, 0, 0];
  return parts.length === 2 ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

/** As npm reads `^`: up to the next change of the first number that is not zero. */
function caret(parts: readonly number[]): Release {
  const at = parts.findIndex((part) => part > 0);
  return above(at < 0 ? parts : parts.slice(0, at + 1));
}

function comparator(text: string, range: string): (release: Release) => boolean {
  const [, operator = '', ...texts] = COMPARATOR.exec(text) ?? [];
  const parts = texts.filter((part) => part !== undefined).map(Number);
  if (parts.length === 0) {
    throw new UserError('input', `${JSON.stringify(range)} is not a valid range of versions`, {
      hint: 'Write it as >=1.2.0, >=1.2 <3, ^2 or ~1.4; several lines count together.',
      docs: 'retention.md#rules',
    });
  }
  const low: Release = [parts[0] ?? 0, parts[1] ?? 0, parts[2] ?? 0];
  const within = (end: Release) => (release: Release) => compare(release, low) >= 0 && compare(release, end) < 0;
  switch (operator) {
    case '>=':
      return (release) => compare(release, low) >= 0;
    case '<':
      return (release) => compare(release, low) < 0;
    case '>':
      return (release) => compare(release, above(parts)) >= 0;
    case '<=':
      return (release) => compare(release, above(parts)) < 0;
    case '^':
      return within(caret(parts));
    case '~':
      return within(above(parts.slice(0, 2)));
    default:
      return within(above(parts));
  }
}

/** Whether a text is meant as a range: no tag begins like that. */
export const isRange = (text: string): boolean => /^[<>=^~]/.test(text);

/**
 * Reads a range of versions as npm writes them: `>=1.2 <3`, `^2`, `~1.4`. Tags are versions of one to three numbers, with or without `v`
 * before them; one that says less than the range stands for its lowest (`1.2` is 1.2.0). Tags with a prerelease are in no range.
 * Throws UserError `input`.
 */
export function parseRange(text: string): InRange {
  // A blank may stand behind an operator.
  const words = text.replace(/([<>=^~])\s+/g, '$1').split(/\s+/);
  const comparators = words.map((word) => comparator(word, text));
  return (tag) => {
    const found = TAG.exec(tag);
    if (!found) return false;
    const release: Release = [Number(found[1]), Number(found[2] ?? 0), Number(found[3] ?? 0)];
    return comparators.every((fits) => fits(release));
  };
}
